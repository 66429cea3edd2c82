import { OSLER_ERR_FILE_UNUSABLE } from './errors.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  EACCES: 'permission was refused',
  EPERM: 'permission was refused',
  EROFS: 'the disk is read-only',
  ENOTDIR: 'part of its path is no folder',
  EISDIR: 'it is a folder',
  EEXIST: 'something else has that name',
};

/** What the system says of a file (full, forbidden, not a folder) is about the user's machine and no fault of ours; anything else as it is. */
export function systemFailureOf(error: unknown): unknown {
  const isAboutFile = error instanceof Error && 'code' in error && 'path' in error && typeof error.path === 'string';
  if (!isAboutFile) return error;
  const reason = reasons[String(error.code)];
  return reason === undefined ? error : new OSLER_ERR_FILE_UNUSABLE(error.path, reason);
}
