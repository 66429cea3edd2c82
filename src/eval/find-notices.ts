import type { PairedItem } from './pair-records.ts';
import type { Report, TaskReport } from './schema/report.ts';
import type { ContaminationOfTask } from './summarise-contamination.ts';

const fewItems = 30;
const fewClusters = 10;

/** What a reader must know before trusting the numbers. */
export function findNotices(
  paired: readonly PairedItem[],
  tasks: readonly TaskReport[],
  incomparableItems: readonly string[],
  isComplete: boolean,
  contamination: ContaminationOfTask | null,
): Report['notices'] {
  const notices: string[] = [];
  if (!isComplete)
    notices.push('This evaluation is not complete: the numbers are a look before the end. Resume it before deciding anything.');
  for (const task of tasks) notices.push(...noticesOfTask(task));
  const tasksOfCluster = Map.groupBy(paired, ({ cluster }) => cluster);
  const shared = [...tasksOfCluster.values()].filter((entries) => new Set(entries.map(({ task }) => task)).size > 1).length;
  if (shared > 0)
    notices.push(
      `${shared} questions stand in more than one benchmark: the mean over benchmarks takes them for independent, so its interval is too narrow.`,
    );
  if (incomparableItems.length > 0)
    notices.push(
      `${incomparableItems.length} items were cut into different numbers of tokens by the two arms and are left out of the likelihood.`,
    );
  if (contamination === null) notices.push('The training data were not given, so contamination was not checked.');
  return notices;
}

function noticesOfTask(task: TaskReport): string[] {
  const notices: string[] = [];
  const { base, tuned } = task.arms;
  if (task.items < task.itemsPlanned)
    notices.push(`${task.task}: ${task.itemsPlanned - task.items} of ${task.itemsPlanned} items lack attempts and are left out.`);
  if (task.items > 0 && task.items < fewItems)
    notices.push(`${task.task}: ${task.items} items are too few for the intervals to be trusted.`);
  else if (task.clusters > 0 && task.clusters < fewClusters)
    notices.push(`${task.task}: ${task.clusters} clusters are too few for the intervals to be trusted.`);
  const isAtBaseline = [base, tuned].every(({ accuracy }) => !accuracy.isEstimable || accuracy.low <= task.majorityBaseline);
  if (task.items > 0 && isAtBaseline) {
    notices.push(
      `${task.task}: neither arm is shown to beat always naming the most frequent letter (${(100 * task.majorityBaseline).toFixed(1)} %). The model may be too small for these questions, so the comparison says little.`,
    );
  }
  if (Math.abs(base.outcomes.answered - tuned.outcomes.answered) > 0.1) {
    notices.push(
      `${task.task}: the arms answer at different rates (base ${percent(base.outcomes.answered)}, tuned ${percent(tuned.outcomes.answered)}): part of the difference is form, not knowledge.`,
    );
  }
  return notices;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
