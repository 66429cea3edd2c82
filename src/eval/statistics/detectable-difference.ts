import { normalQuantile, studentTQuantile } from './distributions.ts';

/**
 * What is known or assumed about the spread of item differences. Variances are of scores in [0, 1], so of squared shares.
 * Discordance in place of ω² errs to the safe side: the variance is the discordance less the squared difference.
 */
export interface DifferenceSpread {
  /** ω²: variance over items of the true difference. With one binary attempt an item, give the discordance here and leave the others out. */
  readonly betweenItems: number;
  /** σ_B²: variance over attempts of one item in the base arm. */
  readonly withinBase?: number;
  /** σ_T²: the same in the tuned arm. */
  readonly withinTuned?: number;
}

/** Power of a test and its two-sided error rate. */
export interface TestPower {
  readonly alpha: number;
  readonly power: number;
}

const usualPower: TestPower = { alpha: 0.05, power: 0.8 };

/**
 * z_{α/2} + z_β: how many standard errors a true difference must be away from 0. With the degrees of freedom of a standard
 * error that was estimated, quantiles of t stand in for z: 2.80 becomes 2.86 with 49 and 2.98 with 16.
 */
export function detectableStandardErrors({ alpha, power }: TestPower = usualPower, df = Infinity): number {
  if (df === Infinity) return normalQuantile(1 - alpha / 2) + normalQuantile(power);
  return studentTQuantile(1 - alpha / 2, df) + studentTQuantile(power, df);
}

/**
 * Smallest true difference that the plan shows with the given power: (z_{α/2} + z_β)·√((ω² + σ_B²/K + σ_T²/K)/n). A share, not pp.
 *
 * @throws RangeError without items or attempts
 */
export function detectableDifference(itemCount: number, attempts: number, spread: DifferenceSpread, power: TestPower = usualPower): number {
  if (!(itemCount > 0 && attempts > 0)) throw new RangeError(`${itemCount} items with ${attempts} attempts show nothing.`);
  return detectableStandardErrors(power) * Math.sqrt(varianceOfItem(attempts, spread) / itemCount);
}

/**
 * Fewest items with which a wanted difference (a share) is shown with the given power; at least 2.
 *
 * @throws RangeError for a difference that is not above 0
 */
export function itemsForDifference(difference: number, attempts: number, spread: DifferenceSpread, power: TestPower = usualPower): number {
  if (!(difference > 0)) throw new RangeError(`A difference of ${difference} needs no number of items: it has to be above 0.`);
  return Math.max(2, Math.ceil(varianceOfItem(attempts, spread) * (detectableStandardErrors(power) / difference) ** 2));
}

function varianceOfItem(attempts: number, { betweenItems, withinBase = 0, withinTuned = 0 }: DifferenceSpread): number {
  return betweenItems + (withinBase + withinTuned) / attempts;
}
