import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { sha256OfFile } from '../../core/digest.ts';
import { OSLER_ERR_LAUNCHER_ARTIFACT } from '../../core/errors.ts';
import { checkFreeDisk, diskFullOf } from '../../core/free-disk.ts';
import type { RunFolder } from '../run-folder.ts';
import { sizeOf } from './appended-file.ts';
import type { RemoteFiles } from './launcher.ts';

/** Where artifacts come from. */
export interface ArtifactSource {
  readonly name: string;
  /** Absolute path of the run's folder there. */
  readonly folder: string;
  /** Hands over the bytes of a file there from `offset` to its end; may fail half-way. */
  read(file: string, offset: number, take: (bytes: Buffer) => Promise<void>, signal?: AbortSignal): Promise<void>;
}

interface Wanted {
  readonly artifact: RemoteFiles;
  /** Absolute path there. */
  readonly there: string;
  /** Absolute path here. */
  readonly target: string;
  /** Beside the target, so that a rename puts it in place. */
  readonly part: string;
  readonly isFile: boolean;
}

/**
 * Brings artifacts into the run's folder. A folder appears complete and checked, or not at all; what an earlier try
 * brought is kept and gone on from. A file whose sha256 is wrong is fetched once more.
 *
 * @throws OSLER_ERR_LAUNCHER_ARTIFACT, OSLER_ERR_DISK_FULL, and what the source throws
 */
export async function fetchArtifacts(
  source: ArtifactSource,
  folder: RunFolder,
  artifacts: readonly RemoteFiles[],
  signal?: AbortSignal,
): Promise<void> {
  const missing: Wanted[] = [];
  // Folders first: the tokenizer is told of as a file, and lies in the adapter's folder.
  const wanted = lastOfEach(artifacts).map((artifact) => place(source, folder, artifact));
  for (const one of wanted.toSorted((a, b) => Number(a.isFile) - Number(b.isFile))) {
    const isCovered = missing.some((other) => !other.isFile && one.target.startsWith(other.target + path.sep));
    if (!isCovered && !(await isHere(one))) missing.push(one);
  }
  const neededBytes = (await Promise.all(missing.map(missingBytes))).reduce((sum, bytes) => sum + bytes, 0);
  await checkFreeDisk(folder.root, neededBytes);
  try {
    for (const one of missing) await fetchOne(source, one, signal);
  } catch (error) {
    throw await diskFullOf(error, folder.root, neededBytes);
  }
}

/** A run that was resumed tells of the same artifact again; the last word counts. */
function lastOfEach(artifacts: readonly RemoteFiles[]): RemoteFiles[] {
  return [...new Map(artifacts.map((artifact) => [artifact.path, artifact])).values()];
}

/** What the host says is no more than a claim: nothing may be written outside the run's folder. */
function place(source: ArtifactSource, folder: RunFolder, artifact: RemoteFiles): Wanted {
  const below = path.posix.relative(source.folder, artifact.path);
  const names = [below, ...artifact.files.map((file) => file.path)];
  const isInside = (name: string): boolean => !path.posix.isAbsolute(name) && !name.split('/').includes('..') && !name.includes('\0');
  if (below === '' || !names.every(isInside))
    throw new OSLER_ERR_LAUNCHER_ARTIFACT(artifact.path, source.name, `it is not inside the run's folder "${source.folder}" there.`);
  const target = path.join(folder.root, ...below.split('/'));
  return {
    artifact,
    there: artifact.path,
    target,
    part: path.join(path.dirname(target), `.${path.basename(target)}.fetched`),
    isFile: artifact.files.length === 1 && artifact.files[0]?.path === '',
  };
}

async function isHere({ artifact, target, isFile }: Wanted): Promise<boolean> {
  for (const file of artifact.files) if (!(await isWhole(isFile ? target : path.join(target, file.path), file))) return false;
  return existsSync(target);
}

async function missingBytes({ artifact, part, isFile }: Wanted): Promise<number> {
  const present = await Promise.all(artifact.files.map((file) => sizeOf(isFile ? part : path.join(part, file.path))));
  return Math.max(0, artifact.files.reduce((sum, file) => sum + file.bytes, 0) - present.reduce((sum, bytes) => sum + bytes, 0));
}

async function fetchOne(source: ArtifactSource, one: Wanted, signal?: AbortSignal): Promise<void> {
  const { artifact, part, target, there, isFile } = one;
  await mkdir(isFile ? path.dirname(part) : part, { recursive: true });
  for (const file of artifact.files) {
    const inPart = isFile ? part : path.join(part, file.path);
    await mkdir(path.dirname(inPart), { recursive: true });
    await fetchFile(source, file.path === '' ? there : path.posix.join(there, file.path), inPart, file, signal);
  }
  if (!isFile) await removeOthers(part, new Set(artifact.files.map((file) => file.path)));
  const old = path.join(path.dirname(target), `.${path.basename(target)}.old`);
  await rm(old, { recursive: true, force: true });
  if (existsSync(target)) await rename(target, old);
  await rename(part, target);
  await rm(old, { recursive: true, force: true });
}

type File = RemoteFiles['files'][number];

async function fetchFile(source: ArtifactSource, there: string, target: string, file: File, signal?: AbortSignal): Promise<void> {
  for (let tries = 0; tries < 2; tries += 1) {
    if ((await sizeOf(target)) > file.bytes || tries > 0) await rm(target, { force: true });
    if ((await sizeOf(target)) < file.bytes || file.bytes === 0) await appendRest(source, there, target, signal);
    if (await isWhole(target, file)) return;
  }
  const size = await sizeOf(target);
  await rm(target, { force: true });
  throw new OSLER_ERR_LAUNCHER_ARTIFACT(
    there,
    source.name,
    `what came does not have the sha256 that the trainer told (${size} of ${file.bytes} bytes), twice. Nothing was put in place; look at the disk of the host, and resume the run.`,
  );
}

async function appendRest(source: ArtifactSource, there: string, target: string, signal?: AbortSignal): Promise<void> {
  const handle = await open(target, 'a');
  try {
    const { size } = await handle.stat();
    await source.read(there, size, async (bytes) => await handle.appendFile(bytes), signal);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function isWhole(file: string, { bytes, sha256 }: File): Promise<boolean> {
  const entry = await stat(file).catch(() => undefined);
  return entry?.isFile() === true && entry.size === bytes && (await sha256OfFile(file)) === sha256;
}

/** Left by an earlier try whose artifact had other files. */
async function removeOthers(part: string, wanted: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(part, { recursive: true, withFileTypes: true })) {
    const full = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && !wanted.has(path.relative(part, full).split(path.sep).join('/'))) await rm(full);
  }
}
