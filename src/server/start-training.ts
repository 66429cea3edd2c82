import type { Recipe } from '../core/schema/recipe.ts';
import type { Run } from '../core/schema/run.ts';
import type { CheckFinding, TrainingCheck } from '../core/schema/training-check.ts';
import { blockingFindings } from '../train/preflight/preflight.ts';
import type { Trainings } from '../train/trainings.ts';
import { type RefusalWording, refusalOf } from './refused-training.ts';
import { checkIn, inCheckFolder, type TrainingCheckDeps, type TrainingCheckOptions } from './training-check.ts';

export interface StartTrainingDeps extends TrainingCheckDeps {
  readonly trainings: Trainings;
}

export interface StartTrainingOptions extends TrainingCheckOptions {
  readonly launcher: string;
  /** A dry run needs neither tokenizer nor memory: its trainer is not asked. */
  readonly isDryRun?: boolean | undefined;
  /** The same key gives the same run. */
  readonly idempotencyKey?: string | null | undefined;
  /** Starts although memory or disk are estimated to be short. */
  readonly ignoresEstimates: boolean;
  readonly wording: RefusalWording;
}

/** What the service says of a start; the rest is the same for all of them. */
export type ServedStartOptions = Pick<StartTrainingOptions, 'launcher' | 'isDryRun' | 'idempotencyKey' | 'ignoresEstimates' | 'signal'>;

/**
 * `startTraining` for a client that waits: a Python that is not set up yet is left to the run, and a refusal speaks of the
 * request's fields.
 */
export async function startServedTraining(recipe: Recipe, deps: StartTrainingDeps, options: ServedStartOptions): Promise<StartedTraining> {
  const wording = { lineOf: findingLine, override: '"ignoreEstimates": true' };
  return await startTraining(recipe, deps, { ...options, setsUpPython: false, wording });
}

function findingLine({ code, message, setting, value }: CheckFinding): string {
  const way = setting === null ? '' : ` (mend it with "${setting}"${value === null ? '' : `: ${JSON.stringify(value)}`})`;
  return `${code}: ${message}${way}`;
}

/** A run that waits for whoever works on it, and what the check before it found. */
export interface StartedTraining {
  readonly run: Run;
  /** False: the idempotency key had named it already. */
  readonly isNew: boolean;
  readonly check: TrainingCheck;
}

/**
 * The way in for every training: checks it, and registers a run on the very rows and template that were checked.
 *
 * @throws OSLER_ERR_DATA_* and others of `Trainings.check`; OSLER_ERR_RUN_PREFLIGHT with every finding, where one blocks it
 */
export async function startTraining(recipe: Recipe, deps: StartTrainingDeps, options: StartTrainingOptions): Promise<StartedTraining> {
  const { trainings } = deps;
  const { launcher, isDryRun = false, idempotencyKey = null, signal } = options;
  await trainings.check(recipe, launcher, signal);
  return await inCheckFolder(deps.config.home, async (folder) => {
    const asksTrainer = options.asksTrainer !== false && !isDryRun;
    const { check, source } = await checkIn(folder, recipe, deps, { ...options, asksTrainer, throwsDataErrors: true });
    const blocking = blockingFindings(check, options);
    if (blocking.length > 0 || source === null) throw refusalOf(check, blocking, options.wording);
    signal?.throwIfAborted();
    const checked = { folder, source, check };
    return { ...(await trainings.createChecked(recipe, checked, idempotencyKey, { launcher, isDryRun })), check };
  });
}
