/**
 * Holm's step-down adjustment: keeps the chance of any false finding among all of them at the level of one.
 * Returns the adjusted p-values in the order given, each at most 1.
 */
export function adjustHolm(pValues: readonly number[]): number[] {
  const ranked = pValues.map((p, index) => ({ p, index })).toSorted((a, b) => a.p - b.p);
  const adjusted: number[] = Array.from({ length: pValues.length }, () => 1);
  let largest = 0;
  for (const [rank, { p, index }] of ranked.entries()) {
    largest = Math.max(largest, Math.min(1, p * (ranked.length - rank)));
    adjusted[index] = largest;
  }
  return adjusted;
}
