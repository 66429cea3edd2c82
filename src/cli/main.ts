import { CommanderError } from 'commander';
import { readConfig } from '../core/config.ts';
import { exitCodeOf, isOslerError } from '../core/errors.ts';
import { storeFile } from '../core/store.ts';
import { isStoreFailure, storeFailureOf } from '../core/store-failure.ts';
import { systemFailureOf } from '../core/system-failure.ts';
import { program } from './program.ts';

try {
  await program.parseAsync();
  // An idle keep-alive of a library must not hold a finished command.
  process.exit(process.exitCode ?? 0);
} catch (thrown) {
  const error = withoutSystemError(thrown);
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  const known = isOslerError(error) ? `${error.message} [${error.code}]` : undefined;
  const unknown = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`osler: ${known ?? `unexpected failure, please report it: ${unknown}`}\n`);
  process.exit(exitCodeOf(error));
}

/** What the system and SQLite say of a file is about the user's machine and no fault of ours. */
function withoutSystemError(error: unknown): unknown {
  // The store was opened, so the configuration can be read.
  return isStoreFailure(error) ? storeFailureOf(error, storeFile(readConfig().home)) : systemFailureOf(error);
}
