import type { NotEstimable } from './estimate.ts';
import { estimatePairedDifference, type EstimatedDifference } from './paired-difference.ts';

/** One item's difference and the part of it that a named cause stands behind, such as attempts where an arm was cut off. */
export interface ExplainedObservation {
  readonly difference: number;
  readonly explained: number;
  readonly cluster: string;
}

/** A difference in two parts that add up to it, each with its interval. */
export interface ExplainedDifference {
  readonly explained: EstimatedDifference | NotEstimable;
  readonly rest: EstimatedDifference | NotEstimable;
  /** Explained over whole; below 0 or above 1 where the parts pull apart; null without a difference to explain. */
  readonly share: number | null;
}

// Sums of a few thousand shares of 1/K come out this close to 0 where they cancel.
const noise = 1e-9;

/** How much of a paired difference a cause explains. Additive by item; reported, decides nothing. */
export function explainDifference(observations: readonly ExplainedObservation[], confidence = 0.95): ExplainedDifference {
  const explained = observations.reduce((sum, observation) => sum + observation.explained, 0);
  const whole = observations.reduce((sum, observation) => sum + observation.difference, 0);
  const part = (differenceOf: (observation: ExplainedObservation) => number): EstimatedDifference | NotEstimable =>
    estimatePairedDifference(
      observations.map((observation) => ({ difference: differenceOf(observation), cluster: observation.cluster })),
      confidence,
    );
  return {
    explained: part((observation) => observation.explained),
    rest: part(({ difference, explained }) => difference - explained),
    share: Math.abs(whole) <= noise ? null : explained / whole,
  };
}
