import { constants, existsSync } from 'node:fs';
import { access, copyFile, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { writeJsonAtomically } from '../../core/atomic-file.ts';
import { sha256, sha256OfFile } from '../../core/digest.ts';
import { OSLER_ERR_LAUNCHER_ARTIFACT, OSLER_ERR_LAUNCHER_UNSUITABLE } from '../../core/errors.ts';
import { checkFreeDisk } from '../../core/free-disk.ts';
import type { RunFolder } from '../run-folder.ts';
import { appendLines, sizeOf } from './appended-file.ts';
import { baseFolder, type ContentFolder, sourcesFolder } from './content-folder.ts';
import type { RemoteFiles, StartOptions } from './launcher.ts';
import { readTrainJob, remoteJob } from './remote-job.ts';
import { eventsName, jobName, logName, trackingName } from './run-names.ts';

const limitBytes = 4 << 20;

/** The folder that this machine and the workers of a Ray cluster share, under the same path. */
export class RayStorage {
  readonly #name: string;
  readonly #root: string;

  constructor(name: string, root: string) {
    this.#name = name;
    this.#root = root;
  }

  /** Where a run is in it. */
  runFolder(folder: RunFolder): string {
    return path.join(this.#root, 'runs', path.basename(folder.root));
  }

  /** A folder of a check's own in it, which whoever makes it removes. */
  checkFolder(id: string): string {
    return path.join(this.#root, 'checks', id);
  }

  /** Whether a folder of this machine is in it, so that the workers have it too. */
  holds(folder: string): boolean {
    return folder.startsWith(this.#root + path.sep);
  }

  /** Copies the trainer's sources, where they are not there yet; gives their folder. */
  async putSources(sources: string, signal?: AbortSignal): Promise<string> {
    return await this.#put('sources', await sourcesFolder(sources), signal);
  }

  /** @throws OSLER_ERR_LAUNCHER_UNSUITABLE where this machine cannot write there */
  async check(): Promise<void> {
    await access(this.#root, constants.W_OK | constants.X_OK).catch(() => {
      throw new OSLER_ERR_LAUNCHER_UNSUITABLE(
        this.#name,
        `this machine cannot write into "${this.#root}". Mount the folder that it shares with the cluster's workers, or name another one as "storage" in launchers.json.`,
      );
    });
  }

  /**
   * Copies what a trainer needs: its sources and the base model, each once by content, then the run's files.
   *
   * @returns folder of the trainer's sources there
   */
  async putInput(options: StartOptions, from: { sources: string; threads: number | undefined }): Promise<string> {
    const { basePath, folder, onStep, signal } = options;
    const there = this.runFolder(folder);
    await mkdir(there, { recursive: true });
    const job = await readTrainJob(folder);
    const sources = await this.putSources(from.sources, signal);
    let base = basePath;
    if (path.isAbsolute(basePath) && existsSync(basePath) && !this.holds(basePath)) {
      onStep?.(`copy the base model to "${this.#root}", where it is not there yet`);
      base = await this.#put('models', options.baseContent ?? (await baseFolder(basePath, signal)), signal);
    }
    const remote = remoteJob(job, folder, there, base, from.threads ?? job.threads);
    for (const name of remote.files) {
      await mkdir(path.dirname(path.join(there, name)), { recursive: true });
      await copyFile(path.join(folder.root, name), path.join(there, name));
    }
    await writeJsonAtomically(path.join(there, jobName), remote.job);
    await rm(path.join(there, 'kill'), { force: true });
    // Logs here must be the beginning of those there. They are not where the run began elsewhere, or its folder was removed.
    for (const [name, file] of pairs(folder)) {
      const ours = await readFile(file).catch(() => Buffer.alloc(0));
      const theirs = await readFile(path.join(there, name)).catch(() => Buffer.alloc(0));
      if (!theirs.subarray(0, ours.length).equals(ours)) await copyFile(file, path.join(there, name));
    }
    return sources;
  }

  /** Appends to the run's events and log what those there hold beyond them. */
  async readNews(folder: RunFolder): Promise<void> {
    for (const [name, file] of pairs(folder))
      for (;;) {
        const bytes = await readPart(path.join(this.runFolder(folder), name), await sizeOf(file));
        const appended = await appendLines(file, bytes, bytes.length === limitBytes);
        if (appended === 0 || bytes.length < limitBytes) break;
      }
  }

  async #put(kind: 'sources' | 'models', content: ContentFolder, signal?: AbortSignal): Promise<string> {
    const target = path.join(this.#root, kind, content.digest);
    if (existsSync(target)) return target;
    const part = path.join(this.#root, kind, `.${content.digest}.${sha256(`${os.hostname()} ${process.pid}`).slice(0, 12)}.part`);
    await mkdir(part, { recursive: true });
    await checkFreeDisk(
      part,
      content.files.reduce((sum, file) => sum + file.bytes, 0),
    );
    try {
      for (const file of content.files) {
        signal?.throwIfAborted();
        const copy = path.join(part, file.path);
        await mkdir(path.dirname(copy), { recursive: true });
        await copyFile(path.join(content.root, file.path), copy);
        if ((await sha256OfFile(copy)) !== file.sha256)
          throw new OSLER_ERR_LAUNCHER_ARTIFACT(
            copy,
            this.#name,
            'the copy differs from its source. Look at the shared disk, and start again.',
          );
      }
      await rename(part, target).catch((error: unknown) => {
        // Another machine was faster.
        if (!existsSync(target)) throw error;
      });
    } finally {
      await rm(part, { recursive: true, force: true });
    }
    return target;
  }
}

/** The trackers' files of a run's folder there, without hidden ones and links, as python/osler_trainer/host.py lists them. */
export async function listTracking(there: string): Promise<RemoteFiles> {
  const root = path.join(there, trackingName);
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isFile()).map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
  const files: RemoteFiles['files'] = [];
  for (const name of names.filter((file) => !file.split(path.sep).some((part) => part.startsWith('.')))) {
    const file = path.join(root, name);
    files.push({ path: name.split(path.sep).join('/'), bytes: (await stat(file)).size, sha256: await sha256OfFile(file) });
  }
  return { path: root, files };
}

function pairs(folder: RunFolder): [string, string][] {
  return [
    [eventsName, folder.events],
    [logName, folder.log],
  ];
}

async function readPart(file: string, offset: number): Promise<Buffer> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return Buffer.alloc(0);
  try {
    const buffer = Buffer.alloc(limitBytes);
    const { bytesRead } = await handle.read(buffer, 0, limitBytes, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
