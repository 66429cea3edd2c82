import { studentTQuantile, studentTTwoSidedP } from './distributions.ts';
import { notEstimable, type NotEstimable } from './estimate.ts';

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
 * Macro mean with SE = √ΣSE²/M, for benchmarks that share no questions. Degrees of freedom by Welch and Satterthwaite, so
 * that one benchmark gives its own interval back. Not estimable for none.
 */
export function macroMean(benchmarks: readonly BenchmarkDifference[], confidence = 0.95): MacroMean | NotEstimable {
  const benchmarkCount = benchmarks.length;
  if (benchmarkCount === 0) return notEstimable('there are no benchmarks');
  const mean = benchmarks.reduce((sum, benchmark) => sum + benchmark.mean, 0) / benchmarkCount;
  const sumOfVariances = benchmarks.reduce((sum, { standardError }) => sum + standardError ** 2, 0);
  const standardError = Math.sqrt(sumOfVariances) / benchmarkCount;
  if (standardError === 0) return notEstimable('no benchmark shows any spread');
  const df = sumOfVariances ** 2 / benchmarks.reduce((sum, benchmark) => sum + benchmark.standardError ** 4 / benchmark.df, 0);
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
