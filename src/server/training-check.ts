import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../core/config.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import type { TrainingCheck } from '../core/schema/training-check.ts';
import type { Launcher } from '../train/launchers/launcher.ts';
import { locateTemplate } from '../train/locate-template.ts';
import type { ModelStore } from '../train/model-store.ts';
import { type PreflightDeps, preflight, type PreflightResult } from '../train/preflight/preflight.ts';
import { isPythonReady, type ReportStep } from '../train/python-environment.ts';
import { type RunFolder, runFiles } from '../train/run-folder.ts';
import type { RunStore } from '../train/run-store.ts';
import { inspectInThread } from './inspect-thread.ts';

export interface TrainingCheckDeps {
  readonly config: Config;
  readonly models: ModelStore;
  readonly runs: RunStore;
  /** Opens a launcher by name. Throws for a name that is not known. */
  readonly launcher: (name: string) => Promise<Launcher>;
}

export interface TrainingCheckOptions {
  /** Where it would train; default: this machine. */
  readonly launcher?: string | undefined;
  /** Evaluation items to look for beside those of the package's benchmarks. */
  readonly itemFiles?: readonly string[] | undefined;
  /** Whether the trainer is asked too; it takes seconds to start. Default: yes. */
  readonly asksTrainer?: boolean | undefined;
  /** Whether this machine's Python is made ready for that, which takes minutes the first time. Default: yes. */
  readonly setsUpPython?: boolean | undefined;
  /** Told of what may take minutes: a set-up, a download. */
  readonly onStep?: ReportStep | undefined;
  /** Told which part is looked at. */
  readonly onPart?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Checks a training before there is one: what the command line and the service have in common. Throws OSLER_ERR_LAUNCHER_UNKNOWN. */
export async function checkTraining(recipe: Recipe, deps: TrainingCheckDeps, options: TrainingCheckOptions = {}): Promise<TrainingCheck> {
  return await inCheckFolder(deps.config.home, async (folder) => (await checkIn(folder, recipe, deps, options)).check);
}

/** A new folder that goes away with its work. With the caches, where `osler clean` finds what a killed process left. */
export async function inCheckFolder<T>(home: string, work: (folder: RunFolder) => Promise<T>): Promise<T> {
  const cache = path.join(home, 'cache');
  await mkdir(cache, { recursive: true });
  const root = await mkdtemp(path.join(cache, 'check-'));
  try {
    return await work(runFiles(root));
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** The check, whose rows and template stay in a folder of the caller's. */
export async function checkIn(
  folder: RunFolder,
  recipe: Recipe,
  deps: TrainingCheckDeps,
  options: TrainingCheckOptions & Pick<PreflightDeps, 'throwsDataErrors'>,
): Promise<PreflightResult> {
  const { itemFiles = [], onStep, onPart, signal } = options;
  return await preflight(recipe, {
    config: deps.config,
    models: deps.models,
    folder,
    locateTemplate,
    inspect: async (recipe, located, { root }) => await inspectInThread({ recipe, located, root, itemFiles }, { onStep: onPart, signal }),
    host: await hostOf(deps, options),
    ...(options.throwsDataErrors === true && { throwsDataErrors: true }),
    onStep,
    onPart,
    signal,
  });
}

async function hostOf(
  { config, runs, launcher: open }: TrainingCheckDeps,
  { launcher: name = 'local', asksTrainer = true, setsUpPython = true }: TrainingCheckOptions,
): Promise<PreflightDeps['host']> {
  // Opened in any case: its name may be wrong.
  const launcher = await open(name);
  if (!asksTrainer) return undefined;
  const isRemote = name !== 'local';
  if (!isRemote && !setsUpPython && !(await isPythonReady(config.venv)))
    return { whyNot: 'the trainer’s Python is not set up on this machine yet; the first run does that, or npx osler train --check.' };
  const ask = launcher.askTrainer?.bind(launcher);
  if (ask === undefined) return { whyNot: `launcher "${name}" runs nothing but trainings.` };
  return { isRemote, isBusy: runs.slots.holders(name).length > 0, ask };
}
