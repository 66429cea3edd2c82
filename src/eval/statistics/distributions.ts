import binomial from '@stdlib/stats-base-dists-binomial';
import normal from '@stdlib/stats-base-dists-normal';
import studentT from '@stdlib/stats-base-dists-t';

/** Quantile of Student's t; `probability` in (0, 1), `df` > 0 and not necessarily whole. */
export function studentTQuantile(probability: number, df: number): number {
  return checked('t quantile', studentT.quantile(probability, df), probability, df);
}

/** Two-sided p of a t statistic. */
export function studentTTwoSidedP(statistic: number, df: number): number {
  return Math.min(1, checked('t distribution', 2 * studentT.cdf(-Math.abs(statistic), df), statistic, df));
}

/** P(Z <= value) for the standard normal distribution. */
export function normalCdf(value: number): number {
  return checked('normal distribution', normal.cdf(value, 0, 1), value);
}

/** Quantile of the standard normal distribution; `probability` in (0, 1). */
export function normalQuantile(probability: number): number {
  return checked('normal quantile', normal.quantile(probability, 0, 1), probability);
}

/** P(X <= successes) for X binomial with probability 1/2; the library goes by the incomplete beta function, so 1e5 trials neither overflow nor take long. */
export function fairBinomialCdf(successes: number, trials: number): number {
  return checked('binomial distribution', binomial.cdf(successes, trials, 0.5), successes, trials);
}

/** P(X = successes) for X binomial with probability 1/2. */
export function fairBinomialPmf(successes: number, trials: number): number {
  return checked('binomial mass', binomial.pmf(successes, trials, 0.5), successes, trials);
}

// The library answers NaN for parameters outside its domain; a NaN must never reach a report, where JSON would turn it into null.
function checked(what: string, value: number, ...parameters: number[]): number {
  if (Number.isNaN(value)) throw new RangeError(`The ${what} is not defined at (${parameters.join(', ')}).`);
  return value;
}
