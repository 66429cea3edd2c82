import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, constants, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { writeJsonAtomically } from '../atomic-file.ts';
import { sha256OfFile } from '../digest.ts';
import { OSLER_ERR_BACKUP_TARGET, OSLER_ERR_FILE_NOT_FOUND } from '../errors.ts';
import { checkFreeDisk, diskFullOf } from '../free-disk.ts';
import { storeFile } from '../store.ts';
import { checkStore, storeFailureOf } from '../store-failure.ts';
import { type BackupManifest, manifestName, sealManifest } from './backup-manifest.ts';
import { type SelectedFile, selectFiles } from './select-files.ts';
import { unlessGone } from './unless-gone.ts';

export interface BackupOptions {
  readonly home: string;
  /** Folder to make; there must be nothing of that name. */
  readonly target: string;
  /** Weights too. */
  readonly hasModels: boolean;
  readonly now: Date;
  readonly oslerVersion: string;
  readonly onBytes?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Copies a home, while it is in use, into a folder that appears whole or not at all.
 *
 * The store is copied in one read transaction; the other files are copied one by one, and those that are only ever
 * appended to may lack their newest lines. A backup that is killed leaves `<target>.partial-…`, which no command takes for one.
 *
 * @throws OSLER_ERR_BACKUP_TARGET, OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_STORE_CORRUPT, OSLER_ERR_DISK_FULL, OSLER_ERR_FILE_UNUSABLE
 */
export async function createBackup(options: BackupOptions): Promise<BackupManifest> {
  const { home, hasModels } = options;
  const target = path.resolve(options.target);
  const store = storeFile(home);
  if (!existsSync(store)) throw new OSLER_ERR_FILE_NOT_FOUND(store);
  checkTarget(home, target);
  await mkdir(path.dirname(target), { recursive: true });
  const files = await selectFiles(home, hasModels);
  const totalBytes = files.reduce((sum, file) => sum + file.bytes, (await stat(store)).size);
  await checkFreeDisk(path.dirname(target), totalBytes);
  const partial = `${target}.partial-${randomBytes(4).toString('hex')}`;
  try {
    // What was asked and answered is in it: for its owner only.
    await mkdir(partial, { mode: 0o700 });
    const storeVersion = snapshotStore(store, path.join(partial, path.basename(store)));
    const copied = [await entryOf(partial, path.basename(store))];
    let doneBytes = 0;
    for (const file of files) {
      options.signal?.throwIfAborted();
      if (await copyInto(home, partial, file)) copied.push(await entryOf(partial, file.path));
      doneBytes += file.bytes;
      options.onBytes?.(doneBytes, totalBytes);
    }
    const manifest = sealManifest({
      schemaVersion: 1,
      createdAt: options.now.toISOString(),
      oslerVersion: options.oslerVersion,
      storeVersion,
      home: path.resolve(home),
      hasModels,
      files: copied,
    });
    await writeJsonAtomically(path.join(partial, manifestName), manifest);
    options.signal?.throwIfAborted();
    await rename(partial, target);
    return manifest;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw await diskFullOf(storeFailureOf(error, store), path.dirname(target), totalBytes);
  }
}

function checkTarget(home: string, target: string): void {
  if (existsSync(target)) throw new OSLER_ERR_BACKUP_TARGET(target, 'a backup goes into a new folder. Name another with --to');
  const [first = ''] = path.relative(home, target).split(path.sep);
  if (first !== '..' && first !== 'backups')
    throw new OSLER_ERR_BACKUP_TARGET(
      home,
      'the next backup would hold this one. Choose a folder outside it with --to, best on another disk',
    );
}

/** Copies the store as of one moment, whoever writes to it meanwhile. Returns its version. */
function snapshotStore(store: string, target: string): number {
  const database = new DatabaseSync(store, { timeout: 10_000 });
  try {
    // Not the backup API: that begins anew whenever another process writes, and copies free pages, where deleted rows may linger.
    database.prepare('VACUUM INTO ?').run(target);
  } finally {
    database.close();
  }
  const copy = new DatabaseSync(target, { readOnly: true });
  try {
    checkStore(copy, target);
    return Number(copy.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  } finally {
    copy.close();
  }
}

/** Whether it was there to copy. */
async function copyInto(home: string, partial: string, file: SelectedFile): Promise<boolean> {
  const target = path.join(partial, file.path);
  await mkdir(path.dirname(target), { recursive: true });
  const copying = copyFile(path.join(home, file.path), target, constants.COPYFILE_FICLONE).then(() => true);
  return (await unlessGone(copying)) ?? false;
}

/** The manifest's entry of a copied file, once it is on the disk for good. */
async function entryOf(partial: string, name: string): Promise<BackupManifest['files'][number]> {
  const file = path.join(partial, name);
  const handle = await open(file, 'r');
  try {
    await handle.sync();
    return { path: name, bytes: (await handle.stat()).size, sha256: await sha256OfFile(file) };
  } finally {
    await handle.close();
  }
}
