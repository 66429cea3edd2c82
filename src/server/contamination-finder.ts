import { findContamination, type StemOfItem } from '../eval/contamination.ts';
import { listTasks, loadTasks } from '../eval/load-tasks.ts';
import type { ContaminationHit, FindContamination } from '../train/preflight/contamination-findings.ts';

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
