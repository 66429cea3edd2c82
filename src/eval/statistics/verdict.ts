/** Ends of a confidence interval of the difference, tuned minus base. */
export interface DifferenceInterval {
  readonly low: number;
  readonly high: number;
}

/** `none`: no difference shown, which is not the same as no difference. */
export type VerdictKind = 'better' | 'worse' | 'equivalent' | 'none';

/** What the rule looks at. Intervals and margin share one unit; a null interval was not estimable. */
export interface VerdictEvidence {
  readonly interval95: DifferenceInterval | null;
  readonly interval90: DifferenceInterval | null;
  /** Half-width of the zone of equivalence, chosen before the run; null: equivalence was not asked about. */
  readonly margin: number | null;
  readonly isHigherBetter: boolean;
}

/**
 * The fixed rule. Better or worse if the 95 % clustered paired interval excludes 0; else equivalent if the 90 % interval
 * lies inside the margin (two one-sided tests at 5 %); else none. A difference that is real and inside the margin is still better or worse.
 */
export function decideVerdict({ interval95, interval90, margin, isHigherBetter }: VerdictEvidence): VerdictKind {
  if (interval95 !== null && interval95.low > 0) return isHigherBetter ? 'better' : 'worse';
  if (interval95 !== null && interval95.high < 0) return isHigherBetter ? 'worse' : 'better';
  if (interval90 !== null && margin !== null && interval90.low > -margin && interval90.high < margin) return 'equivalent';
  return 'none';
}
