import type { DifferenceNats, DifferencePp } from './schema/report.ts';
import { bootstrapPairedDifference } from './statistics/cluster-bootstrap.ts';
import { estimatePairedDifference, type PairedObservation } from './statistics/paired-difference.ts';

interface Resampling {
  readonly seed: number;
  readonly draws: number;
}

/** Paired difference of shares, as the report holds it: percentage points. */
export function differenceInPp(observations: readonly PairedObservation[], resampling: Resampling): DifferencePp {
  return describeDifference(
    observations.map(({ difference, cluster }) => ({ difference: difference * 100, cluster })),
    'pp',
    resampling,
  );
}

/** Paired difference of mean negative log-likelihoods, as the report holds it: nats per token. */
export function differenceInNats(observations: readonly PairedObservation[], resampling: Resampling): DifferenceNats {
  return describeDifference(observations, 'nats/token', resampling);
}

function describeDifference<U extends 'pp' | 'nats/token'>(
  observations: readonly PairedObservation[],
  unit: U,
  { seed, draws }: Resampling,
) {
  const estimate = estimatePairedDifference(observations, 0.95);
  const narrow = estimatePairedDifference(observations, 0.9);
  if (!estimate.isEstimable) return estimate;
  if (!narrow.isEstimable) return narrow;
  const bootstrap = bootstrapPairedDifference(observations, { seed, draws });
  return {
    isEstimable: true as const,
    unit,
    mean: estimate.mean,
    standardError: estimate.standardError,
    low: estimate.low,
    high: estimate.high,
    low90: narrow.low,
    high90: narrow.high,
    p: estimate.p,
    df: estimate.df,
    items: estimate.itemCount,
    clusters: estimate.clusterCount,
    method: estimate.method,
    bootstrap: bootstrap.isEstimable ? { low: bootstrap.low, high: bootstrap.high, draws, seed } : null,
  };
}
