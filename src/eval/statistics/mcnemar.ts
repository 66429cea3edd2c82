import { fairBinomialCdf, fairBinomialPmf } from './distributions.ts';
import { notEstimable, type NotEstimable } from './estimate.ts';

/** McNemar's exact test; `lost` counts items only the base has right, `gained` those only the tuned model has right. */
export interface McNemar {
  readonly isEstimable: true;
  readonly lost: number;
  readonly gained: number;
  /** Exact, two-sided: min(1, 2·P(X <= min(lost, gained))), X binomial(lost + gained, 1/2). */
  readonly p: number;
  /** Half of the probability of the observed table is left out: less conservative (Fagerland, Lydersen and Laake 2013). */
  readonly midP: number;
}

/** Exact McNemar test of one attempt an item. Reported beside the verdict; never decides it. Not estimable without discordant items. */
export function testMcNemar(lost: number, gained: number): McNemar | NotEstimable {
  const discordant = lost + gained;
  if (discordant === 0) return notEstimable('no item is right in one arm and wrong in the other');
  const least = Math.min(lost, gained);
  const observed = fairBinomialPmf(least, discordant);
  const twoTails = 2 * fairBinomialCdf(least, discordant);
  // With equal counts the two tails overlap in the observed table: the exact p is 1 and only half of that table is taken off.
  const midP = lost === gained ? 1 - observed / 2 : twoTails - observed;
  return { isEstimable: true, lost, gained, p: Math.min(1, twoTails), midP: Math.min(1, Math.max(0, midP)) };
}
