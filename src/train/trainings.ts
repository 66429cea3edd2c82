import { rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isOslerError, messageOf, OSLER_ERR_INTERRUPTED, OSLER_ERR_RUN_STATE } from '../core/errors.ts';
import { diskFullOf } from '../core/free-disk.ts';
import { createDatedId } from '../core/ids.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import { isEnded, type Run, type RunState } from '../core/schema/run.ts';
import type { TrainEvent } from '../core/schema/train-event.ts';
import { TrainingCheck } from '../core/schema/training-check.ts';
import { readJsonFile } from '../core/read-json-file.ts';
import { checkExportTools } from './export/llama-quantize.ts';
import { followEvents } from './event-file.ts';
import { finishRun } from './finish-run.ts';
import { type CheckedInput, freezeChecked } from './freeze-input.ts';
import { locateTemplate } from './locate-template.ts';
import { checkModelRef } from './resolve-model.ts';
import { readRemoteCopy, removeRemoteCopy } from './remote-copy.ts';
import { type RunFolder, runFolder } from './run-folder.ts';
import { runFeed, type RunNews } from './run-feed.ts';
import { isWorkedOn, lockRun } from './run-lock.ts';
import { runNotices } from './run-notices.ts';
import type { AddOptions } from './run-store.ts';
import { trainRun } from './train-run.ts';
import type { RunOptions, TrainingsDeps } from './training-deps.ts';
import { defaultTimes, type TrainingTimes } from './training-times.ts';
import { cancelled, howToGoOn, WishWatch } from './wish-watch.ts';

/** States in which a trainer may write events. */
const eventfulStates: readonly RunState[] = ['queued', 'preparing', 'training', 'merging'];
/** Named to a user whose disk could not take even that. */
const fewBytes = 64 << 20;
const cancellableStates: readonly RunState[] = [...eventfulStates, 'converting', 'certifying', 'stopped'];

/** Trains models, from a recipe to a registered candidate, and finds runs again after a restart. */
export class Trainings {
  readonly #deps: TrainingsDeps;
  readonly #times: TrainingTimes;
  readonly #working = new Map<string, Promise<void>>();
  readonly #watches = new Map<string, WishWatch>();

  constructor(deps: TrainingsDeps) {
    this.#deps = deps;
    this.#times = { ...defaultTimes, ...deps.times };
  }

  /** OSLER_HOME of these trainings. */
  get home(): string {
    return this.#deps.config.home;
  }

  folder(id: string): RunFolder {
    return runFolder(this.#deps.config.home, id);
  }

  get(id: string): Run {
    return this.#deps.runs.get(id);
  }

  list(): Run[] {
    return this.#deps.runs.list();
  }

  /** Checks template, launcher, the base's name and the tools of the export before a run exists. Throws what `execute` would. */
  async check(recipe: Recipe, launcher = 'local', signal?: AbortSignal): Promise<void> {
    locateTemplate(recipe.template);
    checkModelRef(recipe.base.ref, this.#deps.models);
    await this.#deps.launcher(launcher);
    await checkExportTools(recipe.output.ggufTypes, { cacheDir: path.join(this.home, 'cache'), signal });
  }

  /** Registers a run; `execute` does the work. The same key gives the same run and trains once. */
  create(recipe: Recipe, idempotencyKey: string | null = null, options: AddOptions = {}): { run: Run; isNew: boolean } {
    return this.#deps.runs.add(createDatedId('run', this.#deps.clock.now()), recipe, idempotencyKey, options);
  }

  /**
   * Registers a run on rows and template as they were checked, whatever their files hold by the time it begins.
   *
   * @throws OSLER_ERR_DISK_FULL
   */
  async createChecked(
    recipe: Recipe,
    checked: CheckedInput,
    idempotencyKey: string | null,
    options: AddOptions,
  ): Promise<{ run: Run; isNew: boolean }> {
    const id = createDatedId('run', this.#deps.clock.now());
    const folder = this.folder(id);
    let isKept = false;
    try {
      // Before anybody can see the run and take it up.
      await freezeChecked(recipe, folder, checked);
      const added = this.#deps.runs.add(id, recipe, idempotencyKey, options);
      isKept = added.isNew;
      return added;
    } catch (error) {
      throw await diskFullOf(error, this.home, fewBytes);
    } finally {
      if (!isKept) await rm(folder.root, { recursive: true, force: true });
    }
  }

  /** The run that was registered with an idempotency key, or undefined. */
  findByKey(idempotencyKey: string): Run | undefined {
    return this.#deps.runs.findByKey(idempotencyKey);
  }

  /** What the check before a run found; undefined where there was none, as in earlier releases. */
  async checkOf(id: string): Promise<TrainingCheck | undefined> {
    this.get(id);
    return await readJsonFile(this.folder(id).check, TrainingCheck);
  }

  /** Takes a run to its end, from wherever it is. Throws what stopped it; the run's state says so too. */
  async execute(id: string, options: RunOptions = {}): Promise<void> {
    const running = this.#working.get(id);
    if (running !== undefined) return await running;
    const work = this.#executeLocked(id, options).finally(() => this.#working.delete(id));
    this.#working.set(id, work);
    return await work;
  }

  /** Whether nobody works on a run that should be worked on: its process has died. */
  isAbandoned(id: string): boolean {
    const run = this.get(id);
    const hasWork = !isEnded(run.state) || (run.state === 'cancelled' && run.trainer !== null);
    return hasWork && !this.#working.has(id) && !isWorkedOn(this.folder(id));
  }

  /**
   * Ends a run for good. A trainer that runs saves a checkpoint first. Whoever works on it does the rest; where nobody does,
   * `execute` has to be called.
   *
   * @throws OSLER_ERR_RUN_STATE for one that is done or has failed
   */
  cancel(id: string): Run {
    const { runs } = this.#deps;
    // One that failed since nobody could reach its trainer may hold a GPU yet.
    const from: readonly RunState[] = this.get(id).trainer === null ? cancellableStates : [...cancellableStates, 'failed'];
    if (!runs.moveState(id, from, 'cancelled') && this.get(id).state !== 'cancelled')
      throw new OSLER_ERR_RUN_STATE(id, this.get(id).state, 'there is nothing left to cancel.');
    this.#watches.get(id)?.look();
    return this.get(id);
  }

  /**
   * Asks for a checkpoint and an end that can be resumed from; the run is `stopped` once it is there. As with `cancel`,
   * somebody has to work on it.
   *
   * @throws OSLER_ERR_RUN_STATE for one that has ended otherwise
   */
  stop(id: string): Run {
    const run = this.get(id);
    if (run.state === 'stopped') return run;
    if (isEnded(run.state)) throw new OSLER_ERR_RUN_STATE(id, run.state, 'there is nothing left to stop.');
    this.#deps.runs.wantStop(id);
    this.#watches.get(id)?.look();
    return this.get(id);
  }

  /**
   * Puts a run that was stopped, has failed, or whose process has died back into the queue; `execute` does the work.
   *
   * @throws OSLER_ERR_RUN_STATE for one that is done, cancelled or at work
   */
  async resume(id: string): Promise<Run> {
    // It may have ended a moment ago, and its lock be held yet.
    if (isEnded(this.get(id).state)) await this.#working.get(id)?.catch(() => undefined);
    const { state } = this.get(id);
    if (state === 'done' || state === 'cancelled') throw new OSLER_ERR_RUN_STATE(id, state, 'there is nothing to go on with.');
    if (!this.#deps.runs.requeue(id)) {
      if (!this.isAbandoned(id))
        throw new OSLER_ERR_RUN_STATE(id, state, `it is at work. Follow it with: npx osler runs show ${id} --follow`);
      this.#deps.runs.wantStop(id, false);
    }
    return this.get(id);
  }

  /** Goes on with the runs that a former process left in the middle. Returns their ids. */
  async recover(onFailure: (id: string, error: unknown) => void): Promise<string[]> {
    // The oldest first, as they were queued.
    const abandoned = this.list()
      .map((run) => run.id)
      .filter((id) => this.isAbandoned(id))
      .toReversed();
    for (const id of abandoned) void this.execute(id).catch((error: unknown) => onFailure(id, error));
    return abandoned;
  }

  /** Events of a run's trainer from the first on, and what was told of it on this side; ends with the run. */
  events(id: string, signal?: AbortSignal): AsyncGenerator<TrainEvent, void> {
    this.get(id);
    const { events, notices } = this.folder(id);
    return followEvents(events, { notices, isActive: () => eventfulStates.includes(this.get(id).state), signal });
  }

  /** Events and states of a run, from the first on to its end. */
  feed(id: string, signal?: AbortSignal): AsyncGenerator<RunNews, void> {
    return runFeed({ read: () => this.get(id), events: this.events(id, signal), pollMs: this.#times.pollMs, signal });
  }

  /** The run once nothing more will happen to it, or as it is when the signal aborts. */
  async settled(id: string, signal?: AbortSignal): Promise<Run> {
    const { pollMs } = this.#times;
    while (!isEnded(this.get(id).state) && signal?.aborted !== true) await sleep(pollMs, undefined, { signal }).catch(() => undefined);
    return this.get(id);
  }

  async #executeLocked(id: string, options: RunOptions): Promise<void> {
    const unlock = await lockRun(this.get(id), this.folder(id));
    const watch = new WishWatch(this.#deps.runs, id, this.#times.pollMs, options.signal);
    this.#watches.set(id, watch);
    try {
      watch.look();
      await this.#execute(id, { ...options, signal: watch.signal });
    } finally {
      watch.end();
      this.#watches.delete(id);
      unlock();
    }
  }

  async #execute(id: string, options: RunOptions & { readonly signal: AbortSignal }): Promise<void> {
    const run = this.get(id);
    if (run.state === 'done') return;
    if (run.state === 'cancelled' && run.trainer === null) throw new OSLER_ERR_RUN_STATE(id, run.state, 'start a new run.');
    try {
      await trainRun(run, this.#deps, { ...options, times: this.#times });
      await finishRun(run, this.#deps, options);
    } catch (error) {
      throw await this.#endWith(id, error, options.signal);
    }
    await this.#dropRemoteCopy(id, options);
  }

  /** A run that is done needs nothing of what its launcher's machine holds, if all of that is here. */
  async #dropRemoteCopy(id: string, options: RunOptions): Promise<void> {
    const folder = this.folder(id);
    if ((await readRemoteCopy(folder))?.isFetched !== true) return;
    const tell = runNotices(folder, this.#deps.clock, options.onEvent);
    await removeRemoteCopy(folder, async (name) => await this.#deps.launcher(name, tell)).catch((error: unknown) => {
      tell(`${messageOf(error)} Remove it later with: npx osler clean --what checkpoints`);
    });
  }

  /** Writes down why a run ended early. Gives the error to throw. */
  async #endWith(id: string, thrown: unknown, signal: AbortSignal): Promise<unknown> {
    if (this.get(id).state === 'cancelled') return cancelled(id);
    const error = await diskFullOf(thrown, this.folder(id).root, fewBytes);
    const code = isOslerError(error) ? error.code : '';
    const isInterrupted = code === 'OSLER_ERR_INTERRUPTED' || (signal.aborted && code !== 'OSLER_ERR_RUN_FAILED');
    try {
      if (isInterrupted) this.#deps.runs.setState(id, 'stopped');
      else this.#deps.runs.setState(id, 'failed', messageOf(error));
    } catch {
      // A full disk holds the store too. The run then looks as if its process had died, and is taken up again like one.
    }
    if (!isInterrupted || messageOf(error).includes(id)) return error;
    return new OSLER_ERR_INTERRUPTED(`Run "${id}" was stopped. ${howToGoOn(id)}`);
  }
}
