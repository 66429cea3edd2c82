import type { Question } from '../../core/schema/question.ts';
import { normaliseText } from '../normalise-text.ts';

/**
 * A cluster name for each item, in order: items are joined that name the same `cluster` or repeat the same stem (with the
 * same passage), directly or over a third item. Repeated questions are not independent, also over benchmarks.
 */
export function clusterItems(items: readonly Question[]): string[] {
  const parents = items.map((_item, index) => index);
  const rootOf = (index: number): number => {
    const parent = parents[index] ?? index;
    return parent === index ? index : rootOf(parent);
  };
  const firstOfKey = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const keys = [`stem:${normaliseText(item.question)}\n${normaliseText(item.context ?? '')}`];
    if (item.cluster !== null) keys.push(`cluster:${item.cluster}`);
    for (const key of keys) {
      const first = firstOfKey.get(key);
      if (first === undefined) firstOfKey.set(key, index);
      else parents[rootOf(index)] = rootOf(first);
    }
  }
  return items.map((_item, index) => `c${rootOf(index)}`);
}
