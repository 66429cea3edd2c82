import { createRandom } from '../../core/rng.ts';
import { notEstimable, type NotEstimable } from './estimate.ts';
import type { PairedObservation } from './paired-difference.ts';

// Below this share of the means, their spread is rounding noise.
const relativeNoise = 1e-12;

/** Percentile interval of the mean difference over resampled clusters. */
export interface BootstrapInterval {
  readonly isEstimable: true;
  readonly low: number;
  readonly high: number;
  readonly draws: number;
  readonly seed: number;
}

/** How to resample. */
export interface BootstrapOptions {
  readonly seed: number;
  readonly draws?: number;
  readonly confidence?: number;
}

/**
 * Cluster bootstrap: whole clusters are drawn with replacement and the mean is over the items drawn. Needs no normality; a
 * check on the t interval. Equal seeds give equal intervals. Not estimable with fewer than two clusters, or where
 * all draws come out the same.
 */
export function bootstrapPairedDifference(
  observations: readonly PairedObservation[],
  { seed, draws = 10_000, confidence = 0.95 }: BootstrapOptions,
): BootstrapInterval | NotEstimable {
  const clusters = new Map<string, { sum: number; count: number }>();
  for (const { cluster, difference } of observations) {
    const entry = clusters.get(cluster) ?? { sum: 0, count: 0 };
    clusters.set(cluster, { sum: entry.sum + difference, count: entry.count + 1 });
  }
  if (clusters.size < 2) return notEstimable('fewer than two clusters cannot be resampled');
  // Sorted, so that the order of the items does not move the interval of a given seed.
  const pool = clusters
    .values()
    .toArray()
    .toSorted((a, b) => a.sum - b.sum || a.count - b.count);
  const sums = Float64Array.from(pool, ({ sum }) => sum);
  const counts = Float64Array.from(pool, ({ count }) => count);
  const random = createRandom(seed);
  const means = new Float64Array(draws);
  for (let draw = 0; draw < draws; draw += 1) {
    let sum = 0;
    let count = 0;
    for (let pick = 0; pick < pool.length; pick += 1) {
      const cluster = Math.floor(random() * pool.length);
      sum += sums[cluster] ?? 0;
      count += counts[cluster] ?? 0;
    }
    means[draw] = sum / count;
  }
  means.sort();
  const [lowest = 0, highest = 0] = [means[0], means.at(-1)];
  if (highest - lowest <= relativeNoise * Math.max(Math.abs(lowest), Math.abs(highest)))
    return notEstimable(`all ${draws} draws give the same mean`);
  return {
    isEstimable: true,
    low: quantileOfSorted(means, (1 - confidence) / 2),
    high: quantileOfSorted(means, (1 + confidence) / 2),
    draws,
    seed,
  };
}

/** Linear interpolation between order statistics (numpy's default, Hyndman and Fan's type 7). The values must be sorted and at least one. */
export function quantileOfSorted(sorted: ArrayLike<number>, probability: number): number {
  const place = (sorted.length - 1) * probability;
  const below = sorted[Math.floor(place)] ?? 0;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}
