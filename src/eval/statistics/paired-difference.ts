import { clusterVariance, type ClusterCorrection } from './cluster-variance.ts';
import { studentTQuantile, studentTTwoSidedP } from './distributions.ts';
import { notEstimable, type NotEstimable } from './estimate.ts';

/** One item's difference, tuned minus base (each the mean over its attempts), and the cluster it belongs to. */
export interface PairedObservation {
  readonly difference: number;
  readonly cluster: string;
}

/** A mean difference with its t interval, in the unit of the differences. */
export interface EstimatedDifference {
  readonly isEstimable: true;
  readonly mean: number;
  readonly standardError: number;
  readonly low: number;
  readonly high: number;
  /** Two-sided p of the same t statistic. */
  readonly p: number;
  /** Not whole where clusters differ in size. */
  readonly df: number;
  readonly itemCount: number;
  readonly clusterCount: number;
  readonly confidence: number;
  /** `paired-t`: every item is its own cluster; `clustered-t`: some clusters hold several items. */
  readonly method: 'paired-t' | 'clustered-t';
}

// Below this share of the largest difference, a standard error is rounding noise and not spread.
const relativeNoise = 1e-12;

/**
 * Paired mean difference with a cluster-robust t interval; `correction` is left out but for comparisons.
 *
 * With clusters of equal size SE = √(G/(G−1) · Σ_g(Σ_{i∈g}(d_i − mean))²) / n and G − 1 degrees of freedom; with one item each
 * this is the ordinary √(Σ(d − mean)²/(n − 1)/n) with n − 1. Unequal clusters are corrected (`clusterVariance`). Not estimable
 * with fewer than two clusters, and where no spread is left (all clusters deviate by nothing): a standard error of 0 would
 * claim certainty from, say, two items.
 */
export function estimatePairedDifference(
  observations: readonly PairedObservation[],
  confidence = 0.95,
  correction: ClusterCorrection = 'small-sample',
): EstimatedDifference | NotEstimable {
  const itemCount = observations.length;
  if (itemCount === 0) return notEstimable('there are no paired items');
  if (itemCount === 1) return notEstimable('there is only one paired item');
  const mean = observations.reduce((sum, { difference }) => sum + difference, 0) / itemCount;
  const clusters = new Map<string, { size: number; sum: number; square: number }>();
  let scale = 0;
  for (const { cluster, difference } of observations) {
    const entry = clusters.get(cluster) ?? { size: 0, sum: 0, square: 0 };
    entry.size += 1;
    entry.sum += difference - mean;
    entry.square += (difference - mean) ** 2;
    clusters.set(cluster, entry);
    scale = Math.max(scale, Math.abs(difference));
  }
  const clusterCount = clusters.size;
  if (clusterCount === 1) return notEstimable(`all ${itemCount} items belong to one cluster`);
  const entries = [...clusters.values()];
  const sizes = entries.map(({ size }) => size);
  const { standardError, df } = clusterVariance(
    { sizes, sums: entries.map(({ sum }) => sum), squares: entries.map(({ square }) => square) },
    correction,
  );
  if (standardError <= relativeNoise * scale)
    return notEstimable(`the difference is the same everywhere (${Number(mean.toPrecision(6))}), so its spread is unknown`);
  const halfWidth = studentTQuantile(0.5 + confidence / 2, df) * standardError;
  return {
    isEstimable: true,
    mean,
    standardError,
    low: mean - halfWidth,
    high: mean + halfWidth,
    p: studentTTwoSidedP(mean / standardError, df),
    df,
    itemCount,
    clusterCount,
    confidence,
    method: clusterCount === itemCount ? 'paired-t' : 'clustered-t',
  };
}
