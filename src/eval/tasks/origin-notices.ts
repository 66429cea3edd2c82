import type { TaskItems } from '../pair-records.ts';
import { countPlaces, describeFaults } from './throw-problems.ts';

/** What a reader of a report must know of its items: rows left out, faults let pass, branches that were not pinned, cautions of the benchmarks. */
export function originNotices(tasks: readonly Pick<TaskItems, 'task' | 'origin'>[]): string[] {
  const notices = tasks.flatMap(({ task, origin }) => {
    if (origin === undefined) return [];
    const { dropped, kept, rows, hub } = origin;
    const notices: string[] = [];
    if (dropped.length > 0)
      notices.push(`${task}: ${countPlaces(dropped)} of ${rows} rows were left out as they cannot be used (${describeFaults(dropped)}).`);
    if (kept.length > 0)
      notices.push(
        `${task}: ${countPlaces(kept)} of ${rows} rows have a fault in their published form and are kept as they are, so that figures stay comparable (${describeFaults(kept)}).`,
      );
    if (hub !== null && hub.revision !== hub.commit)
      notices.push(`${task}: the rows are those of "${hub.revision}" of ${hub.repo} when this was planned: commit ${hub.commit}.`);
    return notices;
  });
  const tasksOfCaution = Map.groupBy(
    tasks.filter(({ origin }) => origin?.caution !== undefined),
    ({ origin }) => origin?.caution ?? '',
  );
  return [...notices, ...[...tasksOfCaution].map(([caution, cautioned]) => `${cautioned.map(({ task }) => task).join(', ')}: ${caution}`)];
}
