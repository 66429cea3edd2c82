import { randomBytes } from 'node:crypto';
import { copyFile, constants, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { OSLER_ERR_BACKUP_TARGET, OSLER_ERR_STORE_NEWER } from '../errors.ts';
import { checkFreeDisk, diskFullOf } from '../free-disk.ts';
import { storeVersion } from '../migrate-store.ts';
import { storeFile } from '../store.ts';
import type { BackupManifest } from './backup-manifest.ts';
import { verifyBackup } from './verify-backup.ts';

export interface RestoreOptions {
  readonly folder: string;
  /** Made if need be; nothing that a backup holds may be there yet. */
  readonly home: string;
  readonly onBytes?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Verifies a backup and copies it into an empty home. Nothing is ever overwritten: a home that holds something is refused.
 * The store is put there last, so that a broken-off restore is no home.
 *
 * @throws OSLER_ERR_BACKUP_INVALID, OSLER_ERR_BACKUP_TARGET, OSLER_ERR_STORE_NEWER, OSLER_ERR_DISK_FULL
 */
export async function restoreBackup(options: RestoreOptions): Promise<BackupManifest> {
  const folder = path.resolve(options.folder);
  const home = path.resolve(options.home);
  const manifest = await verifyBackup(folder, options.signal && { signal: options.signal });
  if (manifest.storeVersion > storeVersion)
    throw new OSLER_ERR_STORE_NEWER(
      storeFile(folder),
      `version ${manifest.storeVersion}, and this release of Osler knows versions up to ${storeVersion}`,
      'an older backup',
    );
  const names = topNames(manifest);
  await checkEmpty(home, names);
  await mkdir(home, { recursive: true });
  const totalBytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  await checkFreeDisk(home, totalBytes);
  const partial = path.join(home, `.restore-${randomBytes(4).toString('hex')}`);
  const moved: string[] = [];
  try {
    let doneBytes = 0;
    for (const file of manifest.files) {
      options.signal?.throwIfAborted();
      const target = path.join(partial, file.path);
      await mkdir(path.dirname(target), { recursive: true });
      await copyFile(path.join(folder, file.path), target, constants.COPYFILE_FICLONE);
      doneBytes += file.bytes;
      options.onBytes?.(doneBytes, totalBytes);
    }
    for (const name of names) {
      await rename(path.join(partial, name), path.join(home, name));
      moved.push(name);
    }
  } catch (error) {
    for (const name of moved) await rm(path.join(home, name), { recursive: true, force: true });
    throw await diskFullOf(error, home, totalBytes);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return manifest;
}

/** What a backup puts into a home, the store last. */
function topNames(manifest: BackupManifest): string[] {
  const store = path.basename(storeFile(''));
  const names = new Set(manifest.files.map((file) => file.path.split('/', 1)[0] ?? ''));
  return [...[...names].filter((name) => name !== store), store];
}

async function checkEmpty(home: string, names: readonly string[]): Promise<void> {
  const store = path.basename(storeFile(''));
  for (const name of [...names, `${store}-wal`, `${store}-shm`]) {
    const entry = path.join(home, name);
    const found = await stat(entry).catch(() => undefined);
    if (found === undefined || (found.isDirectory() && (await readdir(entry)).length === 0)) continue;
    throw new OSLER_ERR_BACKUP_TARGET(
      entry,
      'a backup is restored into an empty home only. Move the old one away, or set OSLER_HOME to another folder',
    );
  }
}
