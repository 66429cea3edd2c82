import { normalQuantile } from './distributions.ts';
import { notEstimable, type NotEstimable } from './estimate.ts';

/** A share in [0, 1] with its Wilson score interval. */
export interface WilsonInterval {
  readonly isEstimable: true;
  readonly share: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/**
 * Wilson score interval of one arm's share (Wilson 1927). `successes` may be fractional: with several attempts an item,
 * each item counts once with its mean, which errs to the wide side. Not estimable for a count of 0.
 */
export function wilsonInterval(successes: number, count: number, confidence = 0.95): WilsonInterval | NotEstimable {
  if (count === 0) return notEstimable('there are no items');
  const share = successes / count;
  const z = normalQuantile(0.5 + confidence / 2);
  const shrink = 1 + z ** 2 / count;
  const centre = (share + z ** 2 / (2 * count)) / shrink;
  const halfWidth = (z / shrink) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  // Exact at the ends, where rounding would leave 1e-18 or 1 + 1e-16.
  const low = successes === 0 ? 0 : Math.max(0, centre - halfWidth);
  const high = successes === count ? 1 : Math.min(1, centre + halfWidth);
  return { isEstimable: true, share, low, high, count };
}
