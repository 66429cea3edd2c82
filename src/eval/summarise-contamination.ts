import { findContamination } from './contamination.ts';
import type { PairedItem } from './pair-records.ts';
import type { ItemContamination } from './schema/contamination.ts';
import type { Report } from './schema/report.ts';

/** Contamination by task and item id. */
export type ContaminationOfTask = ReadonlyMap<string, ReadonlyMap<string, ItemContamination>>;

/** Looks for all items together: boilerplate is counted over all tasks. */
export function findContaminationOfItems(paired: readonly PairedItem[], trainingQuestions: readonly string[]): ContaminationOfTask {
  const found = findContamination(
    paired.map(({ task, item }) => ({ task, itemId: item.id, stem: item.question })),
    trainingQuestions,
  );
  const byTask = Map.groupBy(found, ({ task }) => task);
  return new Map([...byTask].map(([task, entries]) => [task, new Map(entries.map((entry) => [entry.itemId, entry]))]));
}

/** The contamination block: counts, and the items that are not clean, worst first. */
export function describeContamination(contamination: ContaminationOfTask, trainingRows: number): NonNullable<Report['contamination']> {
  const all = [...contamination.values()].flatMap((items) => [...items.values()]);
  const ofLevel = (level: ItemContamination['level']): ItemContamination[] =>
    all.filter((item) => item.level === level).toSorted((a, b) => b.similarity - a.similarity);
  const [hard, soft] = [ofLevel('hard'), ofLevel('soft')];
  return {
    trainingRows,
    counts: { none: all.length - soft.length - hard.length, soft: soft.length, hard: hard.length },
    listed: [...hard, ...soft],
  };
}
