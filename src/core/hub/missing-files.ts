import { mkdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { OSLER_ERR_HUB_CHECKSUM } from '../errors.ts';
import { verifiedSha256 } from './file-checksum.ts';
import { completePart, sizeOf } from './file-transfer.ts';
import { checkFreeDisk, diskFullOf } from '../free-disk.ts';
import { type HubSession, throwIfInterrupted } from './hub-session.ts';
import { type SnapshotFile, type SnapshotManifest, writeManifest } from './snapshot-manifest.ts';

/** Bytes of the selected files that are here, those of earlier calls included; `path` is the file being fetched. */
export interface SnapshotProgress {
  readonly path: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** One call's part of a commit, with the folders it goes to. */
export interface Work {
  /** Of the repository; holds the parts and one folder a commit. */
  readonly folder: string;
  /** Of the commit. */
  readonly directory: string;
  readonly manifest: SnapshotManifest;
  readonly selected: readonly SnapshotFile[];
  readonly onProgress: ((progress: SnapshotProgress) => void) | undefined;
}

/**
 * Fetches what is not here yet, in the listing's order, and notes each file in the manifest.
 *
 * @throws OSLER_ERR_HUB_FAILED, OSLER_ERR_HUB_CHECKSUM, OSLER_ERR_DISK_FULL, OSLER_ERR_INTERRUPTED
 */
export async function fetchMissing(session: HubSession, work: Work): Promise<void> {
  const { folder, directory, manifest, selected } = work;
  const parts = path.join(folder, '.osler-parts');
  await mkdir(parts, { recursive: true });
  const totalBytes = selected.reduce((sum, file) => sum + file.bytes, 0);
  const missing: { file: SnapshotFile; part: string }[] = [];
  let partBytes = 0;
  for (const file of selected) {
    if ((await isHere(directory, file)) || (await wasRenamedUnnoted(directory, file))) continue;
    const part = path.join(parts, `${file.checksum.hex}.part`);
    missing.push({ file, part });
    partBytes += Math.min(file.bytes, await sizeOf(part));
  }
  const missingBytes = missing.reduce((sum, { file }) => sum + file.bytes, 0);
  await checkFreeDisk(folder, missingBytes - partBytes);
  let doneBytes = totalBytes - missingBytes;
  for (const { file, part } of missing) {
    const report = (bytes: number): void => work.onProgress?.({ path: file.path, doneBytes: doneBytes + bytes, totalBytes });
    try {
      await fetchFile(session, work, file, part, report);
      // A crash between two notes costs one reading of the files in between, not their download.
      if (file.checksum.kind === 'sha256') await writeManifest(directory, manifest);
    } catch (error) {
      throwIfInterrupted(session);
      throw await diskFullOf(error, folder, totalBytes - doneBytes);
    }
    doneBytes += file.bytes;
  }
  await writeManifest(directory, manifest);
  // Stays where parts of an interrupted commit wait in it.
  await rmdir(parts).catch(() => undefined);
}

async function fetchFile(
  session: HubSession,
  work: Work,
  file: SnapshotFile,
  part: string,
  report: (bytes: number) => void,
): Promise<void> {
  await completePart(session, work.manifest.commit, file, part, report);
  const sha256 = await verifiedSha256(part, file, session.signal);
  if (sha256 === undefined) {
    await rm(part, { force: true });
    throw new OSLER_ERR_HUB_CHECKSUM(file.path, session.label);
  }
  const target = path.join(work.directory, file.path);
  await mkdir(path.dirname(target), { recursive: true });
  await rename(part, target);
  file.verifiedSha256 = sha256;
}

/** Whether a file that was verified once is still there with its size. */
export async function isHere(directory: string, file: SnapshotFile): Promise<boolean> {
  return file.verifiedSha256 !== null && (await hasSize(directory, file));
}

/** Takes a file whose process died between its last rename and the manifest, if it still proves itself. */
async function wasRenamedUnnoted(directory: string, file: SnapshotFile): Promise<boolean> {
  if (file.verifiedSha256 !== null || !(await hasSize(directory, file))) return false;
  file.verifiedSha256 = (await verifiedSha256(path.join(directory, file.path), file)) ?? null;
  return file.verifiedSha256 !== null;
}

async function hasSize(directory: string, file: SnapshotFile): Promise<boolean> {
  const stats = await stat(path.join(directory, file.path)).catch(() => undefined);
  return stats?.isFile() === true && stats.size === file.bytes;
}
