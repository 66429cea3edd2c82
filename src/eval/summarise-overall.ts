import type { DifferencePp, TaskReport } from './schema/report.ts';
import { macroMean } from './statistics/macro-mean.ts';

/** Difference over all tasks: a single task's own, else the macro mean. Null without multiple choice; not estimable if any task is not. */
export function overallDifference(tasks: readonly TaskReport[]): DifferencePp | null {
  const [first, ...others] = tasks;
  if (first === undefined) return null;
  if (others.length === 0) return first.difference;
  const differences = tasks.map(({ difference }) => difference).filter((difference) => difference.isEstimable);
  if (differences.length < tasks.length) {
    const missing = tasks.filter(({ difference }) => !difference.isEstimable).map(({ task }) => task);
    return { isEstimable: false, reason: `there is no interval for ${missing.join(', ')}` };
  }
  const [wide, narrow] = [macroMean(differences, 0.95), macroMean(differences, 0.9)];
  if (!wide.isEstimable) return wide;
  if (!narrow.isEstimable) return narrow;
  return {
    isEstimable: true,
    unit: 'pp',
    mean: wide.mean,
    standardError: wide.standardError,
    low: wide.low,
    high: wide.high,
    low90: narrow.low,
    high90: narrow.high,
    p: wide.p,
    df: wide.df,
    items: differences.reduce((items, difference) => items + difference.items, 0),
    clusters: differences.reduce((clusters, difference) => clusters + difference.clusters, 0),
    method: 'macro-mean',
    bootstrap: null,
  };
}
