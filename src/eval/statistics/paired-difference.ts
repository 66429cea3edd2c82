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
 * Paired mean difference with a cluster-robust t interval.
 *
 * SE = √(G/(G−1) · Σ_g(Σ_{i∈g}(d_i − mean))²) / n with G − 1 degrees of freedom; with clusters of one item this is
 * the ordinary √(Σ(d − mean)²/(n − 1)/n) with n − 1. Not estimable with fewer than two clusters, and where no spread
 * is left (all clusters deviate by nothing): a standard error of 0 would claim certainty from, say, two items.
 */
export function estimatePairedDifference(
  observations: readonly PairedObservation[],
  confidence = 0.95,
): EstimatedDifference | NotEstimable {
  const itemCount = observations.length;
  if (itemCount === 0) return notEstimable('there are no paired items');
  const mean = observations.reduce((sum, { difference }) => sum + difference, 0) / itemCount;
  const residuals = new Map<string, number>();
  let scale = 0;
  for (const { cluster, difference } of observations) {
    residuals.set(cluster, (residuals.get(cluster) ?? 0) + (difference - mean));
    scale = Math.max(scale, Math.abs(difference));
  }
  const clusterCount = residuals.size;
  if (itemCount === 1) return notEstimable('there is only one paired item');
  if (clusterCount === 1) return notEstimable(`all ${itemCount} items belong to one cluster`);
  const sumOfSquares = residuals.values().reduce((sum, residual) => sum + residual ** 2, 0);
  const standardError = Math.sqrt((clusterCount / (clusterCount - 1)) * sumOfSquares) / itemCount;
  if (standardError <= relativeNoise * scale)
    return notEstimable(`the difference is the same everywhere (${Number(mean.toPrecision(6))}), so its spread is unknown`);
  const df = clusterCount - 1;
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
