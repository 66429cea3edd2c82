import type { DifferenceSpread } from './detectable-difference.ts';
import { notEstimable, type NotEstimable } from './estimate.ts';

/** Right attempts of one item, of the same number in both arms. */
export interface ItemAttempts {
  readonly baseRight: number;
  readonly tunedRight: number;
}

/** Variances for planning, from an evaluation with several attempts an item. */
export type EstimatedSpread = Required<DifferenceSpread> & { readonly isEstimable: true };

/**
 * Parts the variance of item differences into what more attempts average out and what only more items do (moments; ω² is
 * held at 0 or above). Not estimable with one attempt, where the two cannot be told apart, or with fewer than two items.
 */
export function estimateSpread(items: readonly ItemAttempts[], attempts: number): EstimatedSpread | NotEstimable {
  const count = items.length;
  if (count < 2) return notEstimable('there are fewer than two items');
  if (attempts < 2) return notEstimable('one attempt does not tell the spread within an item from that between items');
  const within = (right: number): number => ((right / attempts) * (1 - right / attempts) * attempts) / (attempts - 1);
  const withinBase = items.reduce((sum, { baseRight }) => sum + within(baseRight), 0) / count;
  const withinTuned = items.reduce((sum, { tunedRight }) => sum + within(tunedRight), 0) / count;
  const differences = items.map(({ baseRight, tunedRight }) => (tunedRight - baseRight) / attempts);
  const mean = differences.reduce((sum, difference) => sum + difference, 0) / count;
  const variance = differences.reduce((sum, difference) => sum + (difference - mean) ** 2, 0) / (count - 1);
  return { isEstimable: true, betweenItems: Math.max(0, variance - (withinBase + withinTuned) / attempts), withinBase, withinTuned };
}
