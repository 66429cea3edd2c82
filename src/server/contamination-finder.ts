import { findContamination, type StemOfItem } from '../eval/contamination.ts';
import { listTasksAtHand, loadTasks, type TaskRequest } from '../eval/load-tasks.ts';
import type { ContaminationHit, FindContamination } from '../train/preflight/contamination-findings.ts';

/**
 * Looks for the items of every benchmark whose rows are on this machine and of these files, and for the held-out rows by themselves.
 * Nothing is fetched from the Hub for it: an evaluation on a benchmark from there looks again.
 */
export function contaminationFinder(itemFiles: readonly string[], config: TaskRequest['config']): FindContamination {
  return async (trainingQuestions, heldOut) => {
    const names = await listTasksAtHand(config.benchmarkData);
    // Stems are compared: options that are equal are no matter here.
    const tasks = await loadTasks({ tasks: names, itemFiles, heldOutFile: null, limit: null, config, accepts: ['equalOptions'] });
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
