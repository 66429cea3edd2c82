import path from 'node:path';

/** Paths that one of the patterns means, pattern by pattern, each in the order of names and only once. Hidden files are left out. */
export function matchingFiles(paths: readonly string[], patterns: readonly string[]): string[] {
  const sorted = paths.toSorted();
  return [...new Set(patterns.flatMap((pattern) => sorted.filter((file) => file === pattern || path.posix.matchesGlob(file, pattern))))];
}
