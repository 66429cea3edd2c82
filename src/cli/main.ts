import { Command, CommanderError } from 'commander';
import { exitCodeOf, isOslerError } from '../core/errors.ts';
import { demoCommand } from './demo.ts';
import { evaluateCommand } from './evaluate.ts';
import { runsCommand } from './runs.ts';
import { serveCommand } from './serve.ts';
import { trainCommand } from './train.ts';

const program = new Command('osler')
  .description(
    'Tune a reasoning model on medical questions, serve it with the thought apart from the answer, and say whether tuning helped.\nFor research only; not a medical device.',
  )
  .addCommand(demoCommand())
  .addCommand(trainCommand())
  .addCommand(runsCommand())
  .addCommand(serveCommand())
  .addCommand(evaluateCommand())
  .showSuggestionAfterError()
  .exitOverride();
for (const command of program.commands) command.exitOverride();

try {
  await program.parseAsync();
  // An idle keep-alive of a library must not hold a finished command.
  process.exit(process.exitCode ?? 0);
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  process.stderr.write(
    isOslerError(error)
      ? `osler: ${error.message} [${error.code}]\n`
      : `osler: unexpected failure, please report it: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exit(exitCodeOf(error));
}
