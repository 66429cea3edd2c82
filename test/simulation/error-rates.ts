import { clusterVariance, type ClusterCorrection } from '../../src/eval/statistics/cluster-variance.ts';
import { studentTQuantile } from '../../src/eval/statistics/distributions.ts';
import type { EvaluationSimulator } from './evaluation-simulator.ts';

/** Where the intervals of simulated evaluations lay. Where all clusters come out alike there is none, which shows no difference and covers nothing. */
export interface IntervalRates {
  /** Share of the intervals that hold the true difference. */
  readonly coverage: number;
  /** Share of all draws whose interval excludes 0: the power, or the error rate where the true difference is 0. */
  readonly excludesZero: number;
}

/** Draws evaluations and judges their intervals by the code that decides verdicts. */
export function measureIntervals(
  simulator: EvaluationSimulator,
  options: { readonly draws: number; readonly truth: number; readonly confidence?: number; readonly correction?: ClusterCorrection },
): IntervalRates {
  const { draws, truth, confidence = 0.95, correction } = options;
  const quantiles = new Map<number, number>();
  let intervals = 0;
  let covered = 0;
  let excludesZero = 0;
  for (let draw = 0; draw < draws; draw += 1) {
    simulator.draw();
    const { standardError, df } = clusterVariance(simulator, correction);
    if (standardError < 1e-12) continue;
    intervals += 1;
    let quantile = quantiles.get(df);
    if (quantile === undefined) {
      quantile = studentTQuantile(0.5 + confidence / 2, df);
      quantiles.set(df, quantile);
    }
    const halfWidth = quantile * standardError;
    if (Math.abs(simulator.mean - truth) <= halfWidth) covered += 1;
    if (Math.abs(simulator.mean) > halfWidth) excludesZero += 1;
  }
  return { coverage: intervals === 0 ? 0 : covered / intervals, excludesZero: excludesZero / draws };
}
