import type { TaskItems } from '../pair-records.ts';
import { countPlaces } from './throw-problems.ts';

const shownPlaces = 10;

/** What a reader of a report must know of its items: rows left out, faults let pass, branches that were not pinned, cautions of the benchmarks. */
export function originNotices(tasks: readonly Pick<TaskItems, 'task' | 'origin'>[]): string[] {
  const notices = tasks.flatMap(({ task, origin }) => {
    if (origin === undefined) return [];
    const { dropped, kept, rows, hub } = origin;
    const notices: string[] = [];
    if (dropped.length > 0)
      notices.push(`${task}: ${countPlaces(dropped)} of ${rows} rows were left out as they cannot be used (${shown(dropped)}).`);
    if (kept.length > 0)
      notices.push(
        `${task}: ${countPlaces(kept)} of ${rows} rows have a fault in their published form and are kept as they are, so that figures stay comparable (${shown(kept)}).`,
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

function shown(faults: readonly { readonly place: string; readonly reason: string }[]): string {
  const first = faults.slice(0, shownPlaces).map(({ place, reason }) => `${place}: ${reason}`);
  return [...first, ...(faults.length > shownPlaces ? [`and ${faults.length - shownPlaces} more, see evaluation.json`] : [])].join('; ');
}
