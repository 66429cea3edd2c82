import { studentTQuantile, studentTTwoSidedP } from './distributions.ts';
import { notEstimable, type NotEstimable } from './estimate.ts';
import type { PairedObservation } from './paired-difference.ts';

// Below this share of the variances, what a perfect negative covariance leaves is rounding noise.
const relativeNoise = 1e-12;

/** The part of a benchmark's difference that its macro mean needs. */
export interface BenchmarkDifference {
  readonly mean: number;
  readonly standardError: number;
  readonly df: number;
}

/** Mean over benchmarks, each with the same weight whatever its size. */
export interface MacroMean extends BenchmarkDifference {
  readonly isEstimable: true;
  readonly low: number;
  readonly high: number;
  readonly p: number;
  readonly benchmarkCount: number;
  readonly confidence: number;
}

/**
 * Macro mean with SE = √ΣSE²/M. Degrees of freedom by Welch and Satterthwaite, so that one benchmark gives its own interval
 * back. Not estimable for none.
 *
 * @param covariances sum over the pairs of benchmarks that share clusters, such as repeated questions (`sharedCovariance`): 2·Σ
 * is added to ΣSE², and the degrees of freedom are those of the benchmark that has fewest
 */
export function macroMean(benchmarks: readonly BenchmarkDifference[], confidence = 0.95, covariances = 0): MacroMean | NotEstimable {
  const benchmarkCount = benchmarks.length;
  if (benchmarkCount === 0) return notEstimable('there are no benchmarks');
  const mean = benchmarks.reduce((sum, benchmark) => sum + benchmark.mean, 0) / benchmarkCount;
  const sumOfVariances = benchmarks.reduce((sum, { standardError }) => sum + standardError ** 2, 0);
  const variance = sumOfVariances + 2 * covariances;
  if (variance <= relativeNoise * sumOfVariances) return notEstimable('no benchmark shows any spread');
  const standardError = Math.sqrt(variance) / benchmarkCount;
  const df =
    covariances === 0
      ? sumOfVariances ** 2 / benchmarks.reduce((sum, benchmark) => sum + benchmark.standardError ** 4 / benchmark.df, 0)
      : Math.min(...benchmarks.map((benchmark) => benchmark.df));
  const halfWidth = studentTQuantile(0.5 + confidence / 2, df) * standardError;
  return {
    isEstimable: true,
    mean,
    standardError,
    df,
    low: mean - halfWidth,
    high: mean + halfWidth,
    p: studentTTwoSidedP(mean / standardError, df),
    benchmarkCount,
    confidence,
  };
}

/** Covariance of two benchmarks' mean differences through the clusters that both have; 0 where they share none. Scaled as their standard errors are. */
export function sharedCovariance(one: readonly PairedObservation[], other: readonly PairedObservation[]): number {
  const ours = scaledResiduals(one);
  const theirs = scaledResiduals(other);
  return ours.entries().reduce((sum, [cluster, residual]) => sum + residual * (theirs.get(cluster) ?? 0), 0);
}

// S_g/√(1 − n_g/n)/n by cluster: their squares add up to the square of the standard error.
function scaledResiduals(observations: readonly PairedObservation[]): Map<string, number> {
  const count = observations.length;
  const mean = observations.reduce((sum, { difference }) => sum + difference, 0) / count;
  return new Map(
    Map.groupBy(observations, ({ cluster }) => cluster)
      .entries()
      .map(([cluster, members]) => {
        const residual = members.reduce((sum, { difference }) => sum + difference - mean, 0);
        return [cluster, members.length === count ? 0 : residual / Math.sqrt(1 - members.length / count) / count];
      }),
  );
}
