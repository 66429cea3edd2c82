import { CommanderError } from 'commander';
import { exitCodeOf, isOslerError } from '../core/errors.ts';
import { program } from './program.ts';

try {
  await program.parseAsync();
  // An idle keep-alive of a library must not hold a finished command.
  process.exit(process.exitCode ?? 0);
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  const known = isOslerError(error) ? `${error.message} [${error.code}]` : undefined;
  const unknown = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`osler: ${known ?? `unexpected failure, please report it: ${unknown}`}\n`);
  process.exit(exitCodeOf(error));
}
