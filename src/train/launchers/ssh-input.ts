import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { sha256 } from '../../core/digest.ts';
import { OSLER_ERR_LAUNCHER_DISK } from '../../core/errors.ts';
import { lockFolder } from '../../core/folder-lock.ts';
import type { TrainJob } from '../../core/schema/train-job.ts';
import { sizeOf } from './appended-file.ts';
import { baseFolder, type ContentFolder, sourcesFolder } from './content-folder.ts';
import type { HostDescription } from './host-description.ts';
import type { StartOptions } from './launcher.ts';
import { remoteJob } from './remote-job.ts';
import { eventsName, jobName, logName } from './run-names.ts';
import type { SshHost } from './ssh-host.ts';
import { type Upload, uploadFiles, uploadFolder } from './ssh-upload.ts';

/** Adapter, checkpoints and the merged model are about as large as the base; room for them is checked before it is sent. */
const outputsPerBase = 1.2;
/** Below this nobody waits. */
const toldBytes = 64 << 20;

export interface InputOptions {
  readonly description: HostDescription;
  readonly job: TrainJob;
  /** The run's folder on the host. */
  readonly there: string;
  /** Folder of the trainer's package here. */
  readonly sources: string;
}

/**
 * Brings to the host what a trainer needs: its sources and the base model, each once by content, then the run's files.
 *
 * @returns folder of the trainer's sources there
 */
export async function sendInput(host: SshHost, input: InputOptions, options: StartOptions): Promise<string> {
  const { description, job, there } = input;
  const { basePath, folder, signal } = options;
  const sources = await sendFolder(host, description, 'sources', await sourcesFolder(input.sources), 0, options);
  let base = basePath;
  if (path.isAbsolute(basePath) && existsSync(basePath)) {
    const content = options.baseContent ?? (await baseFolder(basePath, signal));
    signal?.throwIfAborted();
    const bytes = content.files.reduce((sum, file) => sum + file.bytes, 0);
    base = await sendFolder(host, description, 'models', content, outputsPerBase * bytes, options);
  }
  const remote = remoteJob(job, folder, there, base, host.settings.threads ?? description.cores);
  const text = Buffer.from(`${JSON.stringify(remote.job, null, 2)}\n`);
  const uploads: Upload[] = [{ from: text, to: path.posix.join(there, jobName), bytes: text.length, offset: 0 }];
  for (const name of remote.files) {
    const from = path.join(folder.root, ...name.split('/'));
    uploads.push({ from, to: path.posix.join(there, name), bytes: await sizeOf(from), offset: 0 });
  }
  await host.persist(async () => await uploadFiles(host, uploads, { signal }), { signal });
  return sources;
}

/** Length and digest of a file of ours, by which the host tells whether its own begins with it. */
export async function beginningOf(file: string): Promise<{ bytes: number; sha256: string }> {
  const content = await readFile(file).catch(() => Buffer.alloc(0));
  return { bytes: content.length, sha256: sha256(content) };
}

/**
 * Makes the events and the log here the beginning of those there, so that sizes alone say what is to come. They are not
 * where the run began on another machine, where its folder there was removed, or where a half line here was ended.
 */
export async function matchLogs(host: SshHost, there: string, isSame: readonly boolean[], { folder, signal }: StartOptions): Promise<void> {
  const uploads: Upload[] = [];
  for (const [index, [name, file]] of Object.entries({ [eventsName]: folder.events, [logName]: folder.log }).entries()) {
    const bytes = await sizeOf(file);
    if (isSame[index] !== true && bytes > 0)
      uploads.push({ from: await readFile(file), to: path.posix.join(there, name), bytes, offset: 0 });
  }
  if (uploads.length > 0) await host.persist(async () => await uploadFiles(host, uploads, { signal }), { signal });
}

/** Brings a folder to the host under the digest of its content, once for all that need it; gives its place there. */
export async function sendFolder(
  host: SshHost,
  { workDir, freeBytes }: HostDescription,
  kind: 'sources' | 'models',
  content: ContentFolder,
  beyondBytes: number,
  { onStep, signal }: Pick<StartOptions, 'onStep' | 'signal'>,
): Promise<string> {
  const folder = path.posix.join(workDir, kind, content.digest);
  // Two machines may send the same model at once, and two runs of this one.
  const sender = sha256(`${os.hostname()}\n${host.options.home}`).slice(0, 12);
  const part = path.posix.join(workDir, kind, `.${content.digest}.${sender}.part`);
  const lock = path.join(host.options.home, 'launchers', host.name);
  await mkdir(lock, { recursive: true });
  const unlock = await lockFolder(lock, () => signal?.throwIfAborted());
  let sent = 0;
  const onMissing = (bytes: number): void => {
    if (bytes + beyondBytes > freeBytes)
      throw new OSLER_ERR_LAUNCHER_DISK(
        host.name,
        `"${workDir}" needs about ${gigabytes(bytes + beyondBytes)} and ${gigabytes(freeBytes)} is left`,
      );
    if (bytes > toldBytes) onStep?.(`send ${gigabytes(bytes)} of the base model to "${host.name}"`);
  };
  const onSent = (bytes: number): void => void (sent += bytes);
  try {
    await host.persist(async () => await uploadFolder(host, content, { folder, part, signal, onMissing, onSent }), {
      signal,
      progress: () => sent,
    });
  } finally {
    unlock();
  }
  return folder;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}
