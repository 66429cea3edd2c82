import { normalQuantile } from './distributions.ts';
import { notEstimable, type NotEstimable } from './estimate.ts';

/** Agreement of two raters beyond chance. */
export interface CohensKappa {
  readonly isEstimable: true;
  readonly kappa: number;
  /** Ends of the interval, held in [−1, 1]; null where nothing is left to judge their spread by: full agreement, or a rater who always says the same. */
  readonly interval: { readonly low: number; readonly high: number } | null;
  /** Share of ratings that agree. */
  readonly agreement: number;
  readonly count: number;
}

// The square root of what sums of shares are off by.
const roundingNoise = 1e-7;

/**
 * Cohen's kappa of two raters who judged the same things, such as a judge and human voters, with the large-sample interval of
 * Fleiss, Cohen and Everitt (1969). Categories are those that occur. Not estimable without ratings, or where both raters
 * use one and the same category throughout: chance alone would agree.
 */
export function cohensKappa(ratings: readonly (readonly [string, string])[], confidence = 0.95): CohensKappa | NotEstimable {
  const count = ratings.length;
  if (count === 0) return notEstimable('there are no ratings');
  const categories = [...new Set(ratings.flat())];
  const shareOf = (isIn: (rating: readonly [string, string]) => boolean): number => ratings.filter(isIn).length / count;
  const first = categories.map((category) => shareOf(([rating]) => rating === category));
  const second = categories.map((category) => shareOf(([, rating]) => rating === category));
  if (categories.length === 1) return notEstimable('both raters use one category only');
  const agreement = shareOf(([one, other]) => one === other);
  const chance = first.reduce((sum, share, index) => sum + share * (second[index] ?? 0), 0);
  const kappa = (agreement - chance) / (1 - chance);
  let variance = -((kappa - chance * (1 - kappa)) ** 2);
  for (const [row, one] of categories.entries()) {
    for (const [column, other] of categories.entries()) {
      const share = shareOf(([a, b]) => a === one && b === other);
      const crossed = (second[row] ?? 0) + (first[column] ?? 0);
      variance += share * (row === column ? 1 - crossed * (1 - kappa) : crossed * (1 - kappa)) ** 2;
    }
  }
  const standardError = Math.sqrt(Math.max(0, variance) / count) / (1 - chance);
  if (standardError < roundingNoise) return { isEstimable: true, kappa, interval: null, agreement, count };
  const halfWidth = normalQuantile(0.5 + confidence / 2) * standardError;
  return {
    isEstimable: true,
    kappa,
    interval: { low: Math.max(-1, kappa - halfWidth), high: Math.min(1, kappa + halfWidth) },
    agreement,
    count,
  };
}
