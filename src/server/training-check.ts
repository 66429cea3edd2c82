import type { Config } from '../core/config.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import type { TrainingCheck } from '../core/schema/training-check.ts';
import { findContamination, type StemOfItem } from '../eval/contamination.ts';
import { listTasks, loadTasks } from '../eval/load-tasks.ts';
import type { ModelStore } from '../train/model-store.ts';
import { askTrainer } from '../train/preflight/ask-trainer.ts';
import type { ContaminationHit, FindContamination } from '../train/preflight/contamination-findings.ts';
import { preflight } from '../train/preflight/preflight.ts';
import { ensurePython, type ReportStep } from '../train/python-environment.ts';
import { locateTemplate } from '../train/locate-template.ts';

export interface TrainingCheckOptions {
  /** Evaluation items to look for beside those of the package's benchmarks. */
  readonly itemFiles?: readonly string[];
  /** Whether the trainer is asked too; it takes seconds to start. */
  readonly asksTrainer?: boolean;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Checks a training before there is one: what the command line and the service have in common. */
export async function checkTraining(
  recipe: Recipe,
  deps: { readonly config: Config; readonly models: ModelStore },
  options: TrainingCheckOptions = {},
): Promise<TrainingCheck> {
  const { config } = deps;
  const { onStep, signal } = options;
  const askHost = async (job: string) => {
    const python = await ensurePython({ python: config.python, venv: config.venv, onStep, signal });
    return await askTrainer({ python, job, signal });
  };
  return await preflight(recipe, {
    ...deps,
    locateTemplate,
    findContamination: contaminationFinder(options.itemFiles ?? []),
    ...(options.asksTrainer !== false && { askHost }),
    onStep,
    signal,
  });
}

/** Looks for the items of every benchmark of the package and of these files, and for the held-out rows by themselves. */
export function contaminationFinder(itemFiles: readonly string[]): FindContamination {
  return async (trainingQuestions, heldOut) => {
    const tasks = await loadTasks({ tasks: listTasks().filter((name) => name !== 'heldout'), itemFiles, heldOutFile: null, limit: null });
    const stems = tasks.flatMap(({ task, items }) => items.map(({ id, question }) => ({ task, itemId: id, stem: question })));
    const rows = heldOut.map(({ id, question }) => ({ task: 'heldout', itemId: id, stem: question }));
    // Held-out rows apart, as they share their wording with the trained ones and would change what counts as rare.
    const hits = [...hitsOf(stems, trainingQuestions), ...hitsOf(rows, trainingQuestions)];
    return { items: stems.length + rows.length, hits };
  };
}

function hitsOf(items: readonly StemOfItem[], trainingQuestions: readonly string[]): ContaminationHit[] {
  return findContamination(items, trainingQuestions).flatMap(({ task, itemId, level, nearestTrainingRow }) =>
    level === 'none' ? [] : [{ task, itemId, level, nearestTrainingRow }],
  );
}
