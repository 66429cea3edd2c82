import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeFileAtomically, writeJsonAtomically } from '../core/atomic-file.ts';
import type { Clock } from '../core/clock.ts';
import type { Config } from '../core/config.ts';
import { sha256OfFile } from '../core/digest.ts';
import { messageOf, OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_INTERRUPTED, OSLER_ERR_RUN_FAILED, OSLER_ERR_RUN_STATE } from '../core/errors.ts';
import { lockFolder } from '../core/folder-lock.ts';
import { checkFreeDisk } from '../core/free-disk.ts';
import { createDatedId } from '../core/ids.ts';
import { convertedGgufTypes } from '../core/schema/gguf-type.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import { isEnded, type Run } from '../core/schema/run.ts';
import type { TrainEvent } from '../core/schema/train-event.ts';
import { TrainJob } from '../core/schema/train-job.ts';
import { convertToGguf } from './convert-to-gguf.ts';
import { prepareData } from './data/prepare-data.ts';
import { followEvents } from './event-file.ts';
import type { ModelStore } from './model-store.ts';
import { ensurePython, type ReportStep, trainerSources } from './python-environment.ts';
import { checkModelRef, requireTransformers, resolveModel } from './resolve-model.ts';
import { type RunFolder, runFolder } from './run-folder.ts';
import { readSource, type RunSource } from './run-source.ts';
import type { RunStore } from './run-store.ts';
import { isTrainerAlive, startTrainer, stopTrainer, tailLog } from './trainer-process.ts';

const pollMs = 200;
/** Merged model and GGUF are about as large as the base each; adapter and checkpoints are small beside them. */
const outputsPerBase = 2.2;

export interface TrainingsDeps {
  readonly config: Config;
  readonly clock: Clock;
  readonly runs: RunStore;
  readonly models: ModelStore;
}

export interface RunOptions {
  /** Emits the events of a run without training; makes no model. For tests. */
  readonly isDryRun?: boolean;
  readonly onStep?: ReportStep | undefined;
  readonly onEvent?: ((event: TrainEvent) => void) | undefined;
  /** Stops and saves; the run can be resumed. */
  readonly signal?: AbortSignal | undefined;
}

/** Trains models, from a recipe to a registered candidate, and finds runs again after a restart. */
export class Trainings {
  readonly #deps: TrainingsDeps;
  readonly #working = new Map<string, Promise<void>>();
  /** Bytes of events that earlier tries of a run wrote. */
  readonly #eventsBefore = new Map<string, number>();
  readonly #aborts = new Map<string, AbortController>();
  readonly #cancelled = new Set<string>();

  constructor(deps: TrainingsDeps) {
    this.#deps = deps;
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

  /** Checks what users get wrong, rows, template and the base's name, before a run exists. Throws what `execute` would. */
  async check(recipe: Recipe, signal?: AbortSignal): Promise<void> {
    await prepareData(recipe.data, { config: this.#deps.config, signal });
    locateTemplate(recipe.template);
    checkModelRef(recipe.base.ref, this.#deps.models);
  }

  /** Registers a run; `execute` does the work. The same key gives the same run and trains once. */
  create(recipe: Recipe, idempotencyKey: string | null = null): { run: Run; isNew: boolean } {
    return this.#deps.runs.add(createDatedId('run', this.#deps.clock.now()), recipe, idempotencyKey);
  }

  /** Takes a run to its end, from wherever it is. Throws what stopped it; the run's state says so too. */
  async execute(id: string, options: RunOptions = {}): Promise<void> {
    const running = this.#working.get(id);
    if (running !== undefined) return await running;
    const abort = new AbortController();
    const signal = options.signal === undefined ? abort.signal : AbortSignal.any([options.signal, abort.signal]);
    const work = this.#executeLocked(id, { ...options, signal }).finally(() => {
      this.#working.delete(id);
      this.#aborts.delete(id);
    });
    this.#working.set(id, work);
    this.#aborts.set(id, abort);
    return await work;
  }

  /** Ends a run for good. A trainer that runs saves a checkpoint first. */
  cancel(id: string): Run {
    const run = this.get(id);
    if (run.state === 'cancelled') return run;
    if (isEnded(run.state) && run.state !== 'stopped') throw new OSLER_ERR_RUN_STATE(id, run.state, 'there is nothing left to cancel.');
    this.#cancelled.add(id);
    this.#deps.runs.setState(id, 'cancelled');
    if (run.trainer?.kind === 'local') stopTrainer(run.trainer);
    this.#aborts.get(id)?.abort(new OSLER_ERR_INTERRUPTED(`Run "${id}" was cancelled.`));
    return this.get(id);
  }

  /** Goes on with the runs that a former process left in the middle. Returns their ids. */
  async recover(onFailure: (id: string, error: unknown) => void): Promise<string[]> {
    const open = this.list().filter((run) => !isEnded(run.state) && !this.#working.has(run.id));
    for (const run of open) void this.execute(run.id).catch((error: unknown) => onFailure(run.id, error));
    return open.map((run) => run.id);
  }

  /** Events of a run's trainer from the first on; ends with the run. */
  events(id: string, signal?: AbortSignal): AsyncGenerator<TrainEvent, void> {
    this.get(id);
    return followEvents(this.folder(id).events, {
      isActive: () => !isEnded(this.get(id).state) && this.get(id).state !== 'converting',
      signal,
    });
  }

  /** The run once nothing more will happen to it, or as it is when the signal aborts. */
  async settled(id: string, signal?: AbortSignal): Promise<Run> {
    while (!isEnded(this.get(id).state) && signal?.aborted !== true) await sleep(pollMs, undefined, { signal }).catch(() => undefined);
    return this.get(id);
  }

  /** One process at a time works on a run: a second one would start a second trainer in the same folder. */
  async #executeLocked(id: string, options: RunOptions): Promise<void> {
    const { root } = this.folder(id);
    await mkdir(root, { recursive: true });
    let tries = 0;
    const unlock = await lockFolder(root, () => {
      tries += 1;
      if (tries > 1)
        throw new OSLER_ERR_RUN_STATE(id, this.get(id).state, 'another osler process works on it. Follow it with: npx osler runs show');
    });
    try {
      await this.#execute(id, options);
    } finally {
      unlock();
    }
  }

  async #execute(id: string, options: RunOptions): Promise<void> {
    const { runs } = this.#deps;
    const run = runs.get(id);
    if (run.state === 'done') return;
    if (run.state === 'cancelled') throw new OSLER_ERR_RUN_STATE(id, run.state, 'start a new run.');
    try {
      const isRunning = run.trainer?.kind === 'local' && (await isTrainerAlive(run.trainer, this.folder(id)));
      if (!isRunning && !existsSync(path.join(this.folder(id).merged, 'config.json'))) await this.#prepareAndStart(run, options);
      await this.#followTrainer(id, options);
      if (options.isDryRun !== true) await this.#convert(runs.get(id), options);
      this.#throwIfCancelled(id);
      runs.setState(id, 'done');
    } catch (error) {
      const isInterrupted = options.signal?.aborted === true;
      const { state } = runs.get(id);
      if (state !== 'cancelled' && state !== 'stopped') runs.setState(id, isInterrupted ? 'stopped' : 'failed', messageOf(error));
      if (!isInterrupted || messageOf(error).includes(id)) throw error;
      throw new OSLER_ERR_INTERRUPTED(`Run "${id}" was stopped. Go on with: npx osler train --resume ${id}`);
    }
  }

  async #prepareAndStart(run: Run, options: RunOptions): Promise<void> {
    const { config, clock, runs } = this.#deps;
    const folder = this.folder(run.id);
    const { recipe } = run;
    runs.setState(run.id, 'preparing');
    // A number of a former life may belong to another process by now.
    runs.setTrainer(run.id, null);
    const python = await ensurePython({
      python: config.python,
      venv: config.venv,
      ...(options.onStep && { onStep: options.onStep }),
      signal: options.signal,
    });
    const frozen = (await readSource(folder)) ?? (await this.#freezeInput(run, folder, options.signal));
    const base = await resolveModel(recipe.base.ref, frozen.base.revision ?? recipe.base.revision, {
      ...this.#deps,
      onStep: options.onStep,
      signal: options.signal,
    });
    const basePath = requireTransformers(base);
    await checkFreeDisk(folder.root, outputsPerBase * (await folderBytes(basePath)));
    await writeJsonAtomically(folder.recipe, recipe);
    if (base.revision !== null)
      await writeJsonAtomically(folder.source, { ...frozen, base: { ...frozen.base, revision: base.revision } } satisfies RunSource);
    const job = TrainJob.parse({
      schemaVersion: 1,
      runId: run.id,
      recipe,
      basePath,
      trainFile: folder.trainRows,
      heldOutFile: frozen.data.heldOutRows > 0 ? folder.heldOutRows : null,
      templateFile: folder.template,
      outputDir: folder.root,
      threads: config.threads,
      resume: true,
      dryRun: options.isDryRun ?? false,
    } satisfies TrainJob);
    await writeJsonAtomically(folder.job, job);
    this.#eventsBefore.set(
      run.id,
      await stat(folder.events).then(
        (entry) => entry.size,
        () => 0,
      ),
    );
    // Nothing is awaited from here on, so that no cancellation can fall between this check and the start.
    this.#throwIfCancelled(run.id);
    options.signal?.throwIfAborted();
    runs.setTrainer(run.id, startTrainer({ python, folder, startedAt: clock.now().toISOString() }));
    runs.setState(run.id, 'training');
  }

  /** Rows, template and where they came from, fixed once: a resumed run trains on what it began with, whatever the source holds by then. */
  async #freezeInput(run: Run, folder: RunFolder, signal?: AbortSignal): Promise<RunSource> {
    const { recipe } = run;
    const data = await prepareData(recipe.data, { config: this.#deps.config, signal });
    const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    await writeFileAtomically(folder.trainRows, lines(data.train));
    await writeFileAtomically(folder.heldOutRows, lines(data.heldOut));
    await copyFile(locateTemplate(recipe.template), folder.template);
    const source: RunSource = {
      data: data.source,
      base: { ref: recipe.base.ref, revision: recipe.base.revision },
    };
    await writeJsonAtomically(folder.source, source);
    return source;
  }

  async #followTrainer(id: string, options: RunOptions): Promise<void> {
    const folder = this.folder(id);
    const { trainer } = this.get(id);
    const stop = (): void => {
      if (trainer?.kind === 'local') stopTrainer(trainer);
    };
    if (options.signal?.aborted === true) stop();
    options.signal?.addEventListener('abort', stop, { once: true });
    let last: TrainEvent | undefined;
    try {
      for await (const event of followEvents(folder.events, {
        isActive: async () => trainer?.kind === 'local' && (await isTrainerAlive(trainer, folder)),
        fromBytes: this.#eventsBefore.get(id) ?? 0,
      })) {
        last = event;
        options.onEvent?.(event);
      }
    } finally {
      options.signal?.removeEventListener('abort', stop);
      this.#deps.runs.setTrainer(id, null);
    }
    this.#throwIfCancelled(id);
    switch (last?.type) {
      case 'finished':
        return;
      case 'stopped':
        this.#deps.runs.setState(id, 'stopped');
        throw new OSLER_ERR_INTERRUPTED(
          `Run "${id}" was stopped after step ${last.step} of ${last.totalSteps}, and a checkpoint was saved. Go on with: npx osler train --resume ${id}`,
        );
      case 'failed':
        throw new OSLER_ERR_RUN_FAILED(id, `${last.message} ${last.nextStep}`);
      default:
        throw new OSLER_ERR_RUN_FAILED(
          id,
          `the trainer ended without a word. Its log ends with:\n${await tailLog(folder.log)}\nGo on from the last checkpoint with: npx osler train --resume ${id}`,
        );
    }
  }

  async #convert(run: Run, options: RunOptions): Promise<void> {
    const { config, clock, runs, models } = this.#deps;
    const folder = this.folder(run.id);
    const type = convertedGgufTypes.find((candidate) => run.recipe.output.ggufTypes.includes(candidate)) ?? 'q8_0';
    const target = folder.gguf(type);
    runs.setState(run.id, 'converting');
    options.onStep?.(`convert the tuned model to GGUF ${type}`);
    const python = await ensurePython({ python: config.python, venv: config.venv });
    if (!existsSync(target))
      await convertToGguf({
        python,
        cacheDir: path.join(config.home, 'cache'),
        source: folder.merged,
        target,
        type,
        signal: options.signal,
      });
    this.#throwIfCancelled(run.id);
    models.put({
      id: run.id,
      runId: run.id,
      baseRef: run.recipe.base.ref,
      transformersDir: folder.merged,
      ggufFile: target,
      ggufSha256: await sha256OfFile(target),
      templateFile: folder.template,
      status: 'candidate',
      createdAt: clock.now().toISOString(),
    });
  }

  #throwIfCancelled(id: string): void {
    if (this.#cancelled.has(id) || this.get(id).state === 'cancelled') throw new OSLER_ERR_INTERRUPTED(`Run "${id}" was cancelled.`);
  }
}

/** A template's file: a path, or a name out of those that come with the trainer. */
export function locateTemplate(name: string): string {
  const candidates = [path.resolve(name), path.join(trainerSources, 'osler_trainer/templates', `${name}.jinja`)];
  const file =
    candidates.find((candidate) => existsSync(candidate) && candidate.endsWith('.jinja')) ??
    candidates.find((candidate) => existsSync(candidate));
  if (file === undefined) throw new OSLER_ERR_FILE_NOT_FOUND(name);
  return file;
}

/** Bytes of the files directly in a folder. */
async function folderBytes(folder: string): Promise<number> {
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
