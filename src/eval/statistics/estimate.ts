/** The answer of a statistic that the data cannot carry: never NaN, and the reason in words. */
export interface NotEstimable {
  readonly isEstimable: false;
  readonly reason: string;
}

/** Marks a statistic as not estimable; the reason completes "not estimable: …". */
export function notEstimable(reason: string): NotEstimable {
  return { isEstimable: false, reason };
}
