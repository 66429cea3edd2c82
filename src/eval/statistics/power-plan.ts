import { detectableDifference, itemsForDifference, type DifferenceSpread, type TestPower } from './detectable-difference.ts';

/** What a plan has to reach, and with what. */
export interface PowerQuestion {
  /** Wanted difference: a share in (0, 1], 0.05 for 5 pp. */
  readonly difference: number;
  readonly spread: DifferenceSpread;
  /** Items that the chosen benchmarks have; null: no end. */
  readonly itemsAvailable: number | null;
  /** How many times fewer independent items there are than items: 1 + (Σm²/n − 1) · correlation within clusters of m items; 1 without clusters. */
  readonly designEffect?: number;
  readonly mostAttempts?: number;
  readonly power?: TestPower;
}

/** One way to do it. */
export interface PowerOption {
  readonly items: number;
  readonly attempts: number;
  /** Answers of both arms: 2 · items · attempts. */
  readonly generations: number;
}

/** Options by attempts, and the one to take: the fewest generations, which is the fewest attempts whose items there are. */
export interface PowerPlan {
  readonly options: readonly PowerOption[];
  readonly chosen: PowerOption | null;
  /** What all available items show with the most attempts; null without an end of items. Above the wanted difference where none is chosen. */
  readonly smallestReachable: number | null;
}

/**
 * Items and attempts that show a wanted difference. More attempts never save generations, since only the spread within items
 * averages out; they help where the items run out.
 *
 * @throws RangeError for a difference outside (0, 1], or a design effect below 1
 */
export function planForDifference(question: PowerQuestion): PowerPlan {
  const { difference, spread, itemsAvailable, designEffect = 1, mostAttempts = 16, power } = question;
  if (!(difference > 0 && difference <= 1))
    throw new RangeError(`A difference of ${difference} cannot be planned for: it is a share in (0, 1].`);
  if (!(designEffect >= 1)) throw new RangeError(`A design effect of ${designEffect} is below 1.`);
  const options = Array.from({ length: mostAttempts }, (_, index) => {
    const attempts = index + 1;
    // The effect of clusters is on the variance, so on the number of items.
    const items = Math.ceil(designEffect * itemsForDifference(difference, attempts, spread, power));
    return { items, attempts, generations: 2 * items * attempts };
  });
  const chosen = options.find(({ items }) => itemsAvailable === null || items <= itemsAvailable) ?? null;
  const smallestReachable =
    itemsAvailable === null || itemsAvailable < 1 ? null : detectableDifference(itemsAvailable / designEffect, mostAttempts, spread, power);
  return { options, chosen, smallestReachable };
}
