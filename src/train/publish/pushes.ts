import { digestOfJson } from '../../core/digest.ts';
import { OSLER_ERR_RUN_STATE } from '../../core/errors.ts';
import type { UploadProgress } from '../../core/hub/commit-files.ts';
import type { Run } from '../../core/schema/run.ts';
import type { ModelStore } from '../model-store.ts';
import { type RunFolder, runFolder } from '../run-folder.ts';
import type { RunStore } from '../run-store.ts';
import type { CardEvaluation } from './card-facts.ts';
import { type PushRecord, readPushRecord } from './push-record.ts';
import { pushRun, type PushRunDeps, type PushRunOptions } from './push-run.ts';
import { weightsOf } from './run-artifacts.ts';

export interface PushesDeps extends Omit<PushRunDeps, 'evaluation'> {
  readonly runs: RunStore;
  readonly models: ModelStore;
  /** The evaluation of a model with one of these weights, rendered for its card. */
  readonly findEvaluation: (weightsSha256: ReadonlySet<string>) => Promise<CardEvaluation | undefined>;
}

/** What is asked of a push, as far as it can be asked from afar. */
export type PushWish = Pick<PushRunOptions, 'repo' | 'visibility' | 'parts' | 'revision'>;

/** A push of this process, or the last one that the run's folder tells of. */
export interface PushStatus {
  readonly record: PushRecord;
  /** Whether this process is at it. */
  readonly isRunning: boolean;
  readonly progress: UploadProgress | null;
}

interface Running {
  readonly digest: string;
  record: PushRecord | undefined;
  progress: UploadProgress | null;
}

/** Pushes that go on in the background of a server. */
export class Pushes {
  readonly #deps: PushesDeps;
  readonly #running = new Map<string, Running>();

  constructor(deps: PushesDeps) {
    this.#deps = deps;
  }

  /**
   * Begins a push and gives its state once it was found possible; the same wish again gives the push that runs.
   *
   * @param onFailure told of a push that ends early later on
   * @throws OSLER_ERR_NOT_FOUND, OSLER_ERR_RUN_STATE, and what `pushRun` throws before it sends anything
   */
  async start(
    id: string,
    wish: PushWish,
    options: { signal: AbortSignal; onFailure: (error: unknown) => void },
  ): Promise<{ status: PushStatus; isNew: boolean }> {
    const run = this.#deps.runs.get(id);
    const digest = digestOfJson(wish);
    const other = this.#running.get(id);
    if (other?.record !== undefined && other.digest === digest) return { status: await this.status(id), isNew: false };
    if (other !== undefined) throw new OSLER_ERR_RUN_STATE(id, run.state, 'it is being pushed already. Wait for the end of that.');
    const running: Running = { digest, record: undefined, progress: null };
    this.#running.set(id, running);
    const begun = Promise.withResolvers<void>();
    const work = this.#push(run, wish, running, options.signal, begun.resolve).finally(() => this.#running.delete(id));
    work.catch((error: unknown) => {
      if (running.record !== undefined) options.onFailure(error);
    });
    await Promise.race([begun.promise, work]);
    return { status: await this.status(id), isNew: true };
  }

  /** Where the last push of a run is. Throws OSLER_ERR_NOT_FOUND for a run that was never pushed. */
  async status(id: string): Promise<PushStatus> {
    const run = this.#deps.runs.get(id);
    const running = this.#running.get(id);
    if (running?.record !== undefined) return { record: running.record, isRunning: true, progress: running.progress };
    const record = await readPushRecord(this.#folder(id));
    if (record === undefined) throw new OSLER_ERR_RUN_STATE(id, run.state, 'it was not pushed yet.');
    return { record, isRunning: false, progress: null };
  }

  async #push(run: Run, wish: PushWish, running: Running, signal: AbortSignal, onBegin: () => void): Promise<void> {
    const folder = this.#folder(run.id);
    const evaluation = await this.#deps.findEvaluation(await weightsOf(this.#deps.models.listOfRun(run.id), folder));
    await pushRun(
      run,
      folder,
      { ...this.#deps, evaluation },
      {
        ...wish,
        signal,
        onProgress: (progress) => (running.progress = progress),
        onBegin: (record) => {
          running.record = record;
          onBegin();
        },
      },
    );
  }

  #folder(id: string): RunFolder {
    return runFolder(this.#deps.config.home, id);
  }
}
