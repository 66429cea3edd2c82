import type { DifferenceInterval } from './verdict.ts';

/** `failed`: shown to lie on the wrong side of the bound; `notShown`: the interval holds the bound, or there is none. */
export type NonInferiorityKind = 'passed' | 'failed' | 'notShown';

/** What a gate such as "medqa >= -1pp" looks at; interval and bound share one unit. */
export interface NonInferiorityEvidence {
  /** 95 % interval of the difference, tuned minus base; null: not estimable. */
  readonly interval95: DifferenceInterval | null;
  /** The least favourable difference that is still accepted: −1 for "at most one point worse" where higher is better, +0.05 where lower is. */
  readonly bound: number;
  readonly isHigherBetter: boolean;
}

/**
 * Non-inferiority by the 95 % interval, a one-sided test at 2.5 % as ICH E9 advises. So a bound of 0 passes just where the
 * verdict is `better`. Only `passed` passes a gate: too few items are no proof of anything.
 */
export function decideNonInferiority({ interval95, bound, isHigherBetter }: NonInferiorityEvidence): NonInferiorityKind {
  if (interval95 === null) return 'notShown';
  const { low, high } = interval95;
  if (isHigherBetter ? low > bound : high < bound) return 'passed';
  return (isHigherBetter ? high < bound : low > bound) ? 'failed' : 'notShown';
}
