/**
 * Whether a path of a repository stays inside the folder it is written to, on every operating system.
 * Refused: absolute paths, drive letters, backslashes, control characters, and segments that are empty, `.` or `..`.
 */
export function isSafeRepositoryPath(candidate: string): boolean {
  if (candidate.length === 0 || candidate.length > 1024) return false;
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\\\u0000-\u001f\u007f]/.test(candidate) || /^[a-z]:/i.test(candidate)) return false;
  return candidate.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}
