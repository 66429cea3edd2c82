/**
 * Exact bound where every item came out alike in both arms, so that no t interval exists: with this confidence, less than the
 * returned share of independent items (or clusters of equal size) differs, 1 − ((1 − confidence)/2)^(1/count). It is about
 * 3.7/count at 95 %, and both ends of an interval of the difference. A count of 0 gives 1: anything is possible.
 */
export function noDifferenceBound(count: number, confidence = 0.95): number {
  return count === 0 ? 1 : -Math.expm1(Math.log((1 - confidence) / 2) / count);
}
