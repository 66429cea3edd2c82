import { CommanderError } from 'commander';
import { exitCodeOf, isOslerError, OSLER_ERR_FILE_UNUSABLE } from '../core/errors.ts';
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

/** What the system says of a file (full, forbidden, not a folder) is about the user's machine and no fault of ours. */
function withoutSystemError(error: unknown): unknown {
  const isAboutFile = error instanceof Error && 'code' in error && 'path' in error && typeof error.path === 'string';
  if (!isAboutFile) return error;
  const reasons: Record<string, string> = {
    ENOSPC: 'the disk is full',
    EDQUOT: 'the quota is used up',
    EACCES: 'permission was refused',
    EPERM: 'permission was refused',
    EROFS: 'the disk is read-only',
    ENOTDIR: 'part of its path is no folder',
    EISDIR: 'it is a folder',
    EEXIST: 'something else has that name',
  };
  const reason = reasons[String(error.code)];
  return reason === undefined ? error : new OSLER_ERR_FILE_UNUSABLE(error.path, reason);
}
