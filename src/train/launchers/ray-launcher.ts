import { createReadStream, existsSync } from 'node:fs';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../../core/errors.ts';
import type { RayLauncher as RaySettings } from '../../core/schema/launcher.ts';
import type { TrainerHandle } from '../../core/schema/run.ts';
import type { HostReply } from '../preflight/ask-trainer.ts';
import { trainerSettings, trainerSources } from '../python-environment.ts';
import type { RunFolder } from '../run-folder.ts';
import { type ArtifactSource, fetchArtifacts } from './fetch-artifacts.ts';
import type { HostQuestion, Launcher, RemoteFiles, StartOptions, TrainedArtifact } from './launcher.ts';
import { Outage } from './outage.ts';
import { defaultPatience, type Patience, retry } from './patience.ts';
import { RayClient, type RayJob } from './ray-client.ts';
import { askRayCluster } from './ray-preflight.ts';
import { listTracking, RayStorage } from './ray-storage.ts';
import { jobName, logName } from './run-names.ts';
import { quoteForShell } from './shell-quote.ts';
import { isConnectionFailure } from './ssh-failure.ts';
import { trainerArguments } from './trainer-arguments.ts';

export interface RayLauncherDeps {
  /** Told when the cluster is out of reach and when it is back. */
  readonly onNotice?: ((message: string) => void) | undefined;
  /** Folder of the package osler_trainer; left out: the one that comes with Osler. */
  readonly sources?: string;
  readonly patience?: Patience;
  /** How long a look at a job that is alive stands, in milliseconds. */
  readonly pollMs?: number;
  /** How long a question waits for the resources of a run, in milliseconds. */
  readonly roomMs?: number;
}

type RayTrainer = Extract<TrainerHandle, { kind: 'ray' }>;

/** A trainer that was asked to stop has that long to finish its step and save; Ray's own 3 s are less than a step. */
const stopSeconds = 600;
/** A little less than whoever follows a trainer waits between two looks. */
const defaultPollMs = 900;
/** Ray starts a job in some seconds; one that waits longer waits for resources. */
const defaultRoomMs = 60_000;
/** Runs are handed to Ray, which lets them wait for their resources; more than these wait here. */
const slotsWithoutGpus = 1;

/** A Ray cluster: the trainer is a job of it, which writes into a folder that this machine shares. */
export class RayLauncher implements Launcher {
  readonly name: string;
  readonly #settings: RaySettings;
  readonly #deps: RayLauncherDeps;
  readonly #client: RayClient;
  readonly #storage: RayStorage;
  readonly #patience: Patience;
  readonly #outage: Outage;
  /** By submission id: when the job was last seen alive. */
  readonly #aliveAt = new Map<string, number>();
  readonly #syncing = new Map<string, Promise<void>>();

  constructor(name: string, settings: RaySettings, deps: RayLauncherDeps = {}) {
    this.name = name;
    this.#settings = settings;
    this.#deps = deps;
    this.#client = new RayClient(name, settings.address);
    this.#storage = new RayStorage(name, settings.storage);
    this.#patience = deps.patience ?? defaultPatience;
    this.#outage = new Outage(this.#patience, (message) => deps.onNotice?.(message));
  }

  /** As many runs as the cluster has GPUs for; 1 where runs take none, or it cannot be asked just now. */
  async slots(): Promise<number> {
    if (this.#settings.gpus === 0) return slotsWithoutGpus;
    try {
      return Math.max(1, Math.floor(((await this.#client.resources())['GPU'] ?? 0) / this.#settings.gpus));
    } catch (error) {
      if (!isConnectionFailure(error)) throw error;
      return 1;
    }
  }

  /** By a job of its own, with the resources of the run. */
  async askTrainer(question: HostQuestion): Promise<HostReply> {
    const { python, gpus, threads } = this.#settings;
    return await askRayCluster(question, {
      name: this.name,
      client: this.#client,
      storage: this.#storage,
      sources: this.#deps.sources ?? trainerSources,
      python,
      gpus,
      threads,
      roomMs: this.#deps.roomMs ?? defaultRoomMs,
    });
  }

  /** Each start of a run is a job of its own number; one whose job is alive is followed instead. */
  async start(options: StartOptions): Promise<TrainerHandle> {
    const { folder, signal, startedAt } = options;
    options.onStep?.(`look at "${this.name}"`);
    await this.#storage.check();
    const there = this.#storage.runFolder(folder);
    const { id, job } = await this.#nextJob(path.basename(folder.root), signal);
    const handle: RayTrainer = { kind: 'ray', submissionId: id, folder: there, startedAt };
    if (job !== undefined) return handle;
    const sources = await this.#storage.putInput(options, {
      sources: this.#deps.sources ?? trainerSources,
      threads: this.#settings.threads,
    });
    await this.#storage.readNews(folder);
    signal?.throwIfAborted();
    const { python, gpus } = this.#settings;
    const program = path.posix.join(sources, 'osler_trainer/host.py');
    const trainer = trainerArguments(path.posix.join(there, jobName), options.processes);
    const submission = {
      entrypoint: `exec ${quoteForShell([python, program, there, python, ...trainer])}`,
      submission_id: id,
      runtime_env: { env_vars: { ...trainerSettings, PYTHONPATH: sources, RAY_JOB_STOP_WAIT_TIME_S: String(stopSeconds) } },
      entrypoint_num_cpus: 1,
      entrypoint_num_gpus: gpus * options.processes,
      metadata: { osler_run: path.basename(folder.root) },
    };
    await this.#persist(async () => await this.#client.submit(submission));
    return handle;
  }

  /** Throws where the cluster cannot be reached. */
  async isAlive(trainer: TrainerHandle): Promise<boolean> {
    if (trainer.kind !== 'ray') return false;
    const { submissionId } = trainer;
    const pollMs = this.#deps.pollMs ?? defaultPollMs;
    if (performance.now() - (this.#aliveAt.get(submissionId) ?? -Infinity) < pollMs) return true;
    const job = await this.#outage.bridge(async () => await this.#client.job(submissionId), isConnectionFailure);
    if (isActive(job)) this.#aliveAt.set(submissionId, performance.now());
    else this.#aliveAt.delete(submissionId);
    if (job?.status === 'FAILED') await this.#noteFailure(trainer, job.message ?? '');
    return isActive(job);
  }

  /** Tried once: whoever wants it asks again. */
  async stop(trainer: TrainerHandle): Promise<void> {
    if (trainer.kind === 'ray') await this.#client.stop(trainer.submissionId);
  }

  /** By a file that the job's own program looks for: Ray itself would ask the trainer to save first, and wait for it. */
  async kill(trainer: TrainerHandle): Promise<void> {
    if (trainer.kind !== 'ray') return;
    const job = await this.#client.job(trainer.submissionId);
    if (job?.status === 'RUNNING') await writeFile(path.join(trainer.folder, 'kill'), '');
    else if (job?.status === 'PENDING') await this.#client.stop(trainer.submissionId);
  }

  async sync(trainer: TrainerHandle, folder: RunFolder): Promise<void> {
    if (trainer.kind !== 'ray') return;
    // Two at once would append the same lines twice.
    const running = this.#syncing.get(trainer.folder);
    if (running !== undefined) return await running;
    const syncing = this.#storage.readNews(folder).finally(() => this.#syncing.delete(trainer.folder));
    this.#syncing.set(trainer.folder, syncing);
    await syncing;
  }

  async fetch(trainer: TrainerHandle, folder: RunFolder, artifacts: readonly TrainedArtifact[], signal?: AbortSignal): Promise<void> {
    if (trainer.kind === 'ray') await this.#fetch(trainer, folder, artifacts, signal);
  }

  async fetchTracking(trainer: TrainerHandle, folder: RunFolder, signal?: AbortSignal): Promise<void> {
    if (trainer.kind !== 'ray') return;
    const tracking = await listTracking(trainer.folder);
    if (tracking.files.length > 0) await this.#fetch(trainer, folder, [tracking], signal);
  }

  async clean(folder: RunFolder, trainer: TrainerHandle | null): Promise<boolean> {
    const there = trainer?.kind === 'ray' ? trainer.folder : this.#storage.runFolder(folder);
    const { job } = await this.#nextJob(path.basename(folder.root));
    if (job === undefined) await rm(there, { recursive: true, force: true });
    return !existsSync(there);
  }

  async #fetch(trainer: RayTrainer, folder: RunFolder, wanted: readonly RemoteFiles[], signal?: AbortSignal): Promise<void> {
    const read: ArtifactSource['read'] = async (file, offset, take) => {
      const stream = createReadStream(file, { start: offset, highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
      for await (const bytes of stream) {
        signal?.throwIfAborted();
        await take(bytes);
      }
    };
    await fetchArtifacts({ name: this.name, folder: trainer.folder, read }, folder, wanted, signal);
  }

  /** The job of this run that is alive, or the first number that is free. */
  async #nextJob(runId: string, signal?: AbortSignal): Promise<{ id: string; job: RayJob | undefined }> {
    for (let number = 1; ; number += 1) {
      const id = `osler-${runId}-${number}`;
      // The first question is asked once: a cluster that is out of reach is told of at once.
      const job = await (number === 1 ? this.#client.job(id, signal) : this.#persist(async () => await this.#client.job(id, signal)));
      if (job === undefined || isActive(job)) return { id, job };
    }
  }

  /** A job that never got as far as the trainer (no such Python, no such folder on the worker) left nothing in the log. */
  async #noteFailure(trainer: RayTrainer, message: string): Promise<void> {
    const log = path.join(trainer.folder, logName);
    const note = `Ray ${trainer.submissionId}: ${message.trim()}\n`;
    const text = await readFile(log, 'utf8').catch(() => '');
    if (!text.includes(note)) await appendFile(log, `${text === '' || text.endsWith('\n') ? '' : '\n'}${note}`);
  }

  async #persist<T>(work: () => Promise<T>): Promise<T> {
    return await retry(work, {
      patience: this.#patience,
      isWorthIt: isConnectionFailure,
      onWait: (error, ms) => this.#deps.onNotice?.(`${messageOf(error)} Trying again in ${Math.ceil(ms / 1000)} s.`),
    });
  }
}

function isActive(job: RayJob | undefined): boolean {
  return job?.status === 'PENDING' || job?.status === 'RUNNING';
}
