import { stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeJsonAtomically } from '../core/atomic-file.ts';
import { sha256OfFile } from '../core/digest.ts';
import { readJsonFile } from '../core/read-json-file.ts';
import type { TrainedArtifact } from './launchers/launcher.ts';
import type { RunFolder } from './run-folder.ts';

/** By name below the run's folder. Numbers as text: nanoseconds and inodes are larger than JSON's. */
const Digests = z.record(
  z.string(),
  z.strictObject({ bytes: z.string(), mtimeNs: z.string(), ctimeNs: z.string(), inode: z.string(), sha256: z.string() }),
);
type Mark = Omit<z.infer<typeof Digests>[string], 'sha256'>;

/**
 * Checksums of a run's files as somebody read them last, in `.digests.json` of the run: a model of 16 GB is not read again to
 * learn what is known. Good while size, times and inode stay the same, so a file whose bytes go bad on the disk by themselves
 * goes unnoticed. Therefore:
 *
 * - The export may trust it, to tell whether files that it made before are of this model.
 * - The certificate may not, nor whoever loads or promotes a model, fetches or pushes files: what is stated of bytes is read
 *   from them.
 */
export class RunDigests {
  readonly #root: string;
  readonly #known: z.infer<typeof Digests>;
  #hasNews = false;

  private constructor(root: string, known: z.infer<typeof Digests>) {
    this.#root = root;
    this.#known = known;
  }

  static async open({ root }: Pick<RunFolder, 'root'>): Promise<RunDigests> {
    return new RunDigests(root, (await readJsonFile(recordFile(root), Digests)) ?? {});
  }

  /** sha256 of a file of the run; reads it only where that is not known. Throws where there is none. */
  async of(name: string): Promise<string> {
    const before = await this.#markOf(name);
    const known = this.#known[name];
    if (known !== undefined && isSame(known, before)) return known.sha256;
    const sha256 = await sha256OfFile(path.join(this.#root, name));
    if (isSame(before, await this.#markOf(name))) this.#put(name, before, sha256);
    return sha256;
  }

  /**
   * Takes over what whoever made or fetched a file told of it.
   *
   * @param readMs when it was read, in milliseconds since 1970; a file that was changed later is not taken
   */
  async note(name: string, told: { readonly bytes: number; readonly sha256: string }, readMs: number): Promise<void> {
    const mark = await this.#markOf(name).catch(() => undefined);
    const isOlder = (ns: string): boolean => BigInt(ns) <= BigInt(Math.floor(readMs)) * 1_000_000n;
    if (mark !== undefined && mark.bytes === String(told.bytes) && isOlder(mark.mtimeNs)) this.#put(name, mark, told.sha256);
  }

  /** Writes the record, where it has changed. */
  async save(): Promise<void> {
    if (this.#hasNews) await writeJsonAtomically(recordFile(this.#root), this.#known);
    this.#hasNews = false;
  }

  #put(name: string, mark: Mark, sha256: string): void {
    this.#known[name] = { ...mark, sha256 };
    this.#hasNews = true;
  }

  async #markOf(name: string): Promise<Mark> {
    const { size, mtimeNs, ctimeNs, ino } = await stat(path.join(this.#root, name), { bigint: true });
    return { bytes: String(size), mtimeNs: String(mtimeNs), ctimeNs: String(ctimeNs), inode: String(ino) };
  }
}

/**
 * Takes over what a trainer told of adapter and merged model, once they are in the run's folder.
 *
 * @param fetchedMs when they came from another machine, checked; null: the trainer wrote them here
 */
export async function noteTrained(folder: RunFolder, artifacts: readonly TrainedArtifact[], fetchedMs: number | null): Promise<void> {
  const digests = await RunDigests.open(folder);
  for (const { kind, at, files } of artifacts)
    if (kind === 'adapter' || kind === 'merged')
      for (const file of files) await digests.note(`${kind}/${file.path}`, file, fetchedMs ?? Date.parse(at));
  await digests.save();
}

function recordFile(root: string): string {
  return path.join(root, '.digests.json');
}

function isSame(a: Mark, b: Mark): boolean {
  return a.bytes === b.bytes && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.inode === b.inode;
}
