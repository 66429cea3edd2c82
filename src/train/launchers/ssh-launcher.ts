import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import type { SshLauncher as SshSettings } from '../../core/schema/launcher.ts';
import type { TrainerHandle } from '../../core/schema/run.ts';
import type { HostReply } from '../preflight/ask-trainer.ts';
import { trainerSettings, trainerSources } from '../python-environment.ts';
import type { RunFolder } from '../run-folder.ts';
import { type ArtifactSource, fetchArtifacts } from './fetch-artifacts.ts';
import { checkHost, packagesOf } from './host-description.ts';
import type { HostQuestion, Launcher, RemoteFiles, StartOptions, TrainedArtifact } from './launcher.ts';
import { briefly, defaultPatience } from './patience.ts';
import { readTrainJob } from './remote-job.ts';
import { eventsName, jobName, logName, trackingName } from './run-names.ts';
import { isConnectionFailure } from './ssh-failure.ts';
import { SshFollower, type SshTrainer } from './ssh-follower.ts';
import { SshHost, type SshHostOptions } from './ssh-host.ts';
import { beginningOf, matchLogs, sendInput } from './ssh-input.ts';
import { askSshHost } from './ssh-preflight.ts';
import { trainerArguments } from './trainer-arguments.ts';

export interface SshLauncherDeps extends Omit<SshHostOptions, 'patience'>, Partial<Pick<SshHostOptions, 'patience'>> {
  /** Environment variables of the trainer that no file, log or argument list may hold. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Folder of the package osler_trainer; left out: the one that comes with Osler. */
  readonly sources?: string;
  /** How long a look at a trainer that is alive stands, in milliseconds. */
  readonly pollMs?: number;
}

const RunState = z.object({
  pid: z.int().nullable(),
  startedAt: z.iso.datetime().nullable(),
  isSame: z.array(z.boolean()).describe('whether each file there begins with the bytes of ours'),
});
const Started = z.object({ pid: z.int(), startedAt: z.iso.datetime() });
const Listed = z.object({ files: z.array(z.object({ path: z.string(), bytes: z.int(), sha256: z.string() })) });
const Removed = z.object({ isRemoved: z.boolean() });
const Nothing = z.object({});
/** A little less than whoever follows a trainer waits between two looks. */
const defaultPollMs = 900;

/** A host that is reached by ssh: input goes there, the trainer runs there on its own, its words and results come back. */
export class SshLauncher implements Launcher {
  readonly name: string;
  readonly host: SshHost;
  readonly #sources: string;
  readonly #secrets: Readonly<Record<string, string>>;
  readonly #follower: SshFollower;
  #slots: number | undefined;

  constructor(
    name: string,
    settings: SshSettings,
    { secrets, sources = trainerSources, pollMs = defaultPollMs, ...options }: SshLauncherDeps,
  ) {
    this.name = name;
    this.#sources = sources;
    this.host = new SshHost(name, settings, { patience: defaultPatience, ...options });
    this.#secrets = secrets;
    this.#follower = new SshFollower(this.host, pollMs);
  }

  /** GPUs of the host, which runs share out among themselves; 1 where it has none, or cannot be asked just now. */
  async slots(): Promise<number> {
    try {
      this.#slots ??= Math.max(1, (await this.host.describe([])).gpus.length);
    } catch (error) {
      if (!isConnectionFailure(error)) throw error;
    }
    return this.#slots ?? 1;
  }

  /** Sends what the job names, but no weights, and the trainer's sources, which a run finds there. */
  async askTrainer(question: HostQuestion): Promise<HostReply> {
    return await askSshHost(this.host, question, { sources: this.#sources, secrets: this.#secrets });
  }

  /** A trainer of this run that is alive there already is not started again: it is the one to follow. */
  async start(options: StartOptions): Promise<TrainerHandle> {
    const { folder, signal } = options;
    const { host } = this;
    const job = await readTrainJob(folder);
    options.onStep?.(`look at "${this.name}"`);
    const description = await host.describe(packagesOf(job), signal);
    checkHost(this.name, description, host.settings.python, job);
    const there = path.posix.join(description.workDir, 'runs', path.basename(folder.root));
    const handleOf = (pid: number, startedAt: string): SshTrainer => ({ kind: 'ssh', pid, folder: there, startedAt });
    const beginnings = await Promise.all([folder.events, folder.log].map(beginningOf));
    const files = [eventsName, logName].map((name, index) => ({ name, ...beginnings[index] }));
    const request = { op: 'state', folder: there, files };
    const state = await host.persist(async () => await host.ask({ request, reply: RunState, signal }), { signal });
    this.#follower.forget(there);
    if (state.pid !== null && state.startedAt !== null) return handleOf(state.pid, state.startedAt);

    await matchLogs(host, there, state.isSame, options);
    // What an earlier trainer said last, while nobody listened.
    await host.persist(async () => await this.#follower.sync(handleOf(0, options.startedAt), folder), { signal });
    const sources = await sendInput(host, { description, job, there, sources: this.#sources }, options);
    signal?.throwIfAborted();
    const { pid, startedAt } = await this.#startThere(there, sources, options);
    return handleOf(pid, startedAt);
  }

  async isAlive(trainer: TrainerHandle, folder: RunFolder): Promise<boolean> {
    return trainer.kind === 'ssh' && (await this.#follower.isAlive(trainer, folder));
  }

  /** Tried once: whoever wants it asks again. */
  async stop(trainer: TrainerHandle): Promise<void> {
    await this.#signal(trainer, false);
  }

  async kill(trainer: TrainerHandle): Promise<void> {
    await this.#signal(trainer, true);
  }

  async sync(trainer: TrainerHandle, folder: RunFolder): Promise<void> {
    if (trainer.kind === 'ssh') await this.#follower.sync(trainer, folder);
  }

  async fetch(trainer: TrainerHandle, folder: RunFolder, artifacts: readonly TrainedArtifact[], signal?: AbortSignal): Promise<void> {
    if (trainer.kind === 'ssh') await this.#fetch(trainer, folder, artifacts, signal);
  }

  async fetchTracking(trainer: TrainerHandle, folder: RunFolder, signal?: AbortSignal): Promise<void> {
    if (trainer.kind !== 'ssh') return;
    const place = path.posix.join(trainer.folder, trackingName);
    const request = { op: 'list', folder: place };
    const { files } = await this.host.persist(async () => await this.host.ask({ request, reply: Listed, timeoutMs: 0, signal }), {
      signal,
    });
    if (files.length > 0) await this.#fetch(trainer, folder, [{ path: place, files }], signal);
  }

  async clean(folder: RunFolder, trainer: TrainerHandle | null): Promise<boolean> {
    const there = trainer?.kind === 'ssh' ? trainer.folder : path.posix.join('runs', path.basename(folder.root));
    const request = { op: 'remove', folder: there, workDir: this.host.settings.workDir };
    const ask = async (): Promise<boolean> => (await this.host.ask({ request, reply: Removed })).isRemoved;
    return await this.host.persist(ask, { patience: briefly(this.host.options.patience) });
  }

  async #fetch(trainer: SshTrainer, folder: RunFolder, wanted: readonly RemoteFiles[], signal?: AbortSignal): Promise<void> {
    let received = 0;
    const read: ArtifactSource['read'] = async (file, offset, take) => {
      const files = [{ path: file, offset, limit: Number.MAX_SAFE_INTEGER }];
      const onBytes = async (bytes: Buffer): Promise<void> => {
        await take(bytes);
        received += bytes.length;
      };
      await this.host.ask({ request: { op: 'read', files }, reply: Nothing, onBytes, timeoutMs: 0, signal });
    };
    const source = { name: this.name, folder: trainer.folder, read };
    await this.host.persist(async () => await fetchArtifacts(source, folder, wanted, signal), { signal, progress: () => received });
  }

  /** Repeated with the same token where the answer was lost, so that the host knows it for the same start. */
  async #startThere(there: string, sources: string, options: StartOptions): Promise<z.infer<typeof Started>> {
    const job = path.posix.join(there, jobName);
    const request = {
      op: 'start',
      workDir: this.host.settings.workDir,
      folder: there,
      job,
      events: eventsName,
      log: logName,
      processes: options.processes,
      startedAt: options.startedAt,
      token: randomUUID(),
      arguments: trainerArguments(job, options.processes),
      environment: { ...trainerSettings, PYTHONPATH: sources, ...this.#secrets },
    };
    return await this.host.persist(async () => await this.host.ask({ request, reply: Started }));
  }

  async #signal(trainer: TrainerHandle, isKill: boolean): Promise<void> {
    if (trainer.kind !== 'ssh') return;
    const request = { op: 'signal', pid: trainer.pid, job: path.posix.join(trainer.folder, jobName), isKill };
    await this.host.ask({ request, reply: Nothing });
  }
}
