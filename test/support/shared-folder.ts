import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Folder of real data and cases beside the checkout; absent for most people, so tests that need it skip. */
export const sharedFolder = path.join(import.meta.dirname, '../../../shared');

/** Whether `../shared/<name>` is there. */
export function hasShared(name: string): boolean {
  return existsSync(path.join(sharedFolder, name));
}

/** Rows of a JSON Lines file in `../shared`, or none where it is missing. */
export function readSharedRows<T>(name: string): T[] {
  const file = path.join(sharedFolder, name);
  if (!existsSync(file)) return [];
  // The shared files are fixtures of known shape; each test states the one it needs.
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as T);
}
