import { sha256 } from '../../core/digest.ts';
import type { Question } from '../../core/schema/question.ts';

/** `first`: as they stand. `random`: drawn by the seed. `subject`: drawn by the seed, each subject with its share. */
export type ItemChoice = 'first' | 'random' | 'subject';

/** How many items of a task, and which. */
export interface ChoiceRule {
  readonly task: string;
  readonly limit: number | null;
  readonly how: ItemChoice;
  readonly seed: number;
}

/**
 * So many items, in their former order. A draw ranks items by a hash of seed, task and id: the same seed draws the same items
 * whatever their order, and with `random` those of a smaller limit are among those of a larger one. All are given where the limit is not less.
 */
export function chooseItems(items: readonly Question[], rule: ChoiceRule): readonly Question[] {
  const { limit, how } = rule;
  if (limit === null || limit >= items.length) return items;
  if (how === 'first') return items.slice(0, limit);
  const chosen = new Set(how === 'random' ? ranked(items, rule).slice(0, limit) : bySubject(items, limit, rule));
  return items.filter((item) => chosen.has(item));
}

/** Each subject's whole share, and one more to those with the largest rest; items without a subject are one group. */
function bySubject(items: readonly Question[], limit: number, rule: ChoiceRule): Question[] {
  const groups = [...Map.groupBy(items, ({ subject }) => subject ?? '')]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([subject, members]) => {
      const share = (limit * members.length) / items.length;
      return { subject, members, count: Math.floor(share), rest: share - Math.floor(share) };
    });
  const missing = limit - groups.reduce((sum, { count }) => sum + count, 0);
  const raised = new Set(groups.toSorted((a, b) => b.rest - a.rest).slice(0, missing));
  return groups.flatMap((group) => ranked(group.members, rule).slice(0, group.count + (raised.has(group) ? 1 : 0)));
}

function ranked(items: readonly Question[], { seed, task }: ChoiceRule): Question[] {
  return items
    .map((item) => ({ item, rank: sha256(JSON.stringify([seed, 'item choice', task, item.id])) }))
    .toSorted((a, b) => (a.rank < b.rank ? -1 : 1))
    .map(({ item }) => item);
}
