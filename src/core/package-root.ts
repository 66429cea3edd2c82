import path from 'node:path';

/** Folder of this package: holds python/, data/, benchmarks/ and models/, for sources in src/ and compiled code in dist/src/ alike. */
export const packageRoot = findRoot();

function findRoot(): string {
  const folder = path.resolve(import.meta.dirname, '../..');
  return path.basename(folder) === 'dist' ? path.dirname(folder) : folder;
}
