import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';

/** What a file or a folder takes, and when one of its files was last read or written. Links are not followed. */
export interface DiskUsage {
  readonly bytes: number;
  readonly lastUsed: Date;
}

/** Adds up a file or a folder with all below it; undefined where there is none. */
export async function diskUsage(file: string): Promise<DiskUsage | undefined> {
  const entry = await lstat(file).catch(() => undefined);
  if (entry === undefined) return undefined;
  // A folder is also "read" by looking through it, as here: only its change counts.
  if (!entry.isDirectory()) return { bytes: entry.size, lastUsed: new Date(Math.max(entry.atimeMs, entry.mtimeMs)) };
  const names = await readdir(file).catch(() => []);
  const inner = await Promise.all(names.map(async (name) => await diskUsage(path.join(file, name))));
  const found = inner.filter((usage) => usage !== undefined);
  return {
    bytes: found.reduce((sum, usage) => sum + usage.bytes, 0),
    lastUsed: new Date(Math.max(entry.mtimeMs, ...found.map((usage) => usage.lastUsed.getTime()))),
  };
}
