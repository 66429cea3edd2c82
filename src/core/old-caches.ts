import { readdir, realpath, rm } from 'node:fs/promises';
import path from 'node:path';
import { diskUsage } from './disk-usage.ts';
import { OSLER_ERR_FILE_UNUSABLE } from './errors.ts';
import { filesInUse } from './files-in-use.ts';
import { tryLockFolder } from './folder-lock.ts';
import type { Removable } from './removable.ts';

/**
 * Under `cache/`: folders of conversions and of Hub repositories, unpacked sources and what was compiled of them, and what a killed
 * check of a training left beside them.
 */
const cachePlaces: readonly { folder: string; depth: number; pattern: RegExp }[] = [
  { folder: '.', depth: 1, pattern: /^(?:llama(?:\.cpp|-quantize)-|check-)/ },
  { folder: 'gguf', depth: 1, pattern: /\.gguf(?:\.\d+\.tmp)?$/ },
  // owner/name/commit, and the parts of downloads that were broken off
  { folder: 'hub/models', depth: 3, pattern: /\/(?:[0-9a-f]+|\.osler-parts)$/ },
  { folder: 'hub/datasets', depth: 3, pattern: /\/(?:[0-9a-f]+|\.osler-parts)$/ },
];

/**
 * Caches of a home that nobody has read since a moment. All of them are fetched or made again when next needed, but for what
 * a process has open: a server reads its weights once, serves them for months, and needs the file again when its engine restarts.
 */
export async function listOldCaches(home: string, before: Date): Promise<Removable[]> {
  const found = await Promise.all(
    cachePlaces.map(async ({ folder, depth, pattern }) => {
      const names = await namesBelow(path.join(home, 'cache', folder), depth);
      return names.filter((name) => pattern.test(name)).map((name) => path.posix.join('cache', folder, name));
    }),
  );
  const removable = await Promise.all(
    found.flat().map(async (name): Promise<Removable[]> => {
      const target = path.join(home, name);
      const usage = await diskUsage(target);
      if (usage === undefined || usage.lastUsed >= before) return [];
      return [{ kind: 'caches', name, ...usage, remove: async () => await removeCache(target) }];
    }),
  );
  const old = removable.flat();
  if (old.length === 0) return [];
  const [used, place] = [[...(await filesInUse())], await realpath(home)];
  return old.filter(({ name }) => {
    const target = path.join(place, name);
    return !used.some((file) => file === target || file.startsWith(`${target}${path.sep}`));
  });
}

/** Downloads of a Hub repository hold the lock of its folder. */
async function removeCache(target: string): Promise<void> {
  const unlock = tryLockFolder(path.dirname(target));
  if (unlock === undefined) throw new OSLER_ERR_FILE_UNUSABLE(target, 'a download is at work beside it');
  try {
    await rm(target, { recursive: true, force: true });
  } finally {
    unlock();
  }
}

/** Names at a depth below a folder, such as `owner/name/commit` at 3. */
async function namesBelow(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  if (depth === 1) return entries.map((entry) => entry.name);
  const folders = entries.filter((entry) => entry.isDirectory());
  const inner = await Promise.all(
    folders.map(async ({ name }) => (await namesBelow(path.join(folder, name), depth - 1)).map((rest) => `${name}/${rest}`)),
  );
  return inner.flat();
}
