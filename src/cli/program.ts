import { Command } from 'commander';
import { backupCommand } from './backup.ts';
import { certifyCommand } from './certify.ts';
import { cleanCommand } from './clean.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { engineCommand } from './engine.ts';
import { evaluateCommand } from './evaluate.ts';
import { exportCommand } from './export.ts';
import { keysCommand } from './keys.ts';
import { pushCommand } from './push.ts';
import { promoteCommand } from './promote.ts';
import { runsCommand } from './runs.ts';
import { serveCommand } from './serve.ts';
import { trainCommand } from './train.ts';

/** The command line, without running it. */
export const program = new Command('osler')
  .description(
    'Tune a reasoning model on medical questions, serve it with the thought apart from the answer, and say whether tuning helped.\nFor research only; not a medical device.',
  )
  .addCommand(demoCommand())
  .addCommand(trainCommand())
  .addCommand(runsCommand())
  .addCommand(exportCommand())
  .addCommand(pushCommand())
  .addCommand(certifyCommand())
  .addCommand(promoteCommand())
  .addCommand(serveCommand())
  .addCommand(evaluateCommand())
  .addCommand(doctorCommand())
  .addCommand(engineCommand())
  .addCommand(keysCommand())
  .addCommand(backupCommand())
  .addCommand(cleanCommand())
  .showSuggestionAfterError();
throwUsageErrors(program);

/** Every level needs it said: wrong words then end with our exit code, not Commander's. */
function throwUsageErrors(command: Command): void {
  command.exitOverride();
  for (const inner of command.commands) throwUsageErrors(inner);
}
