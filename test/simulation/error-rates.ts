import { clusterVariance, type ClusterCorrection } from '../../src/eval/statistics/cluster-variance.ts';
import { studentTQuantile } from '../../src/eval/statistics/distributions.ts';
import type { EvaluationSimulator } from './evaluation-simulator.ts';

/** Where the intervals of simulated evaluations lay; shares of all draws. */
export interface IntervalRates {
  /** The interval misses the true difference: the error rate, or 1 − coverage. */
  readonly missed: number;
  /** The interval excludes 0: the power, or the error rate where the true difference is 0. */
  readonly excludesZero: number;
  /** No interval: all clusters came out alike. Counted as excluding nothing. */
  readonly notEstimable: number;
}

/** Draws evaluations and judges their intervals by the code that decides verdicts. */
export function measureIntervals(
  simulator: EvaluationSimulator,
  options: { readonly draws: number; readonly truth: number; readonly confidence?: number; readonly correction?: ClusterCorrection },
): IntervalRates {
  const { draws, truth, confidence = 0.95, correction } = options;
  const quantiles = new Map<number, number>();
  let missed = 0;
  let excludesZero = 0;
  let notEstimable = 0;
  for (let draw = 0; draw < draws; draw += 1) {
    simulator.draw();
    const { standardError, df } = clusterVariance(simulator, correction);
    if (standardError < 1e-12) {
      notEstimable += 1;
      continue;
    }
    let quantile = quantiles.get(df);
    if (quantile === undefined) {
      quantile = studentTQuantile(0.5 + confidence / 2, df);
      quantiles.set(df, quantile);
    }
    const halfWidth = quantile * standardError;
    if (Math.abs(simulator.mean - truth) > halfWidth) missed += 1;
    if (Math.abs(simulator.mean) > halfWidth) excludesZero += 1;
  }
  return { missed: missed / draws, excludesZero: excludesZero / draws, notEstimable: notEstimable / draws };
}
