import { estimatePairedDifference } from '../../src/eval/statistics/paired-difference.ts';
import type { Likelihood } from './train-arm.ts';

/** Likelihoods of the two arms trained with one seed. */
export interface SeedPair {
  readonly seed: number;
  readonly first: Likelihood;
  readonly second: Likelihood;
}

/** Mean negative log-likelihood a token of a model, each row with the same weight. */
export function meanNll({ rows }: Likelihood): number {
  return rows.reduce((sum, { nats, tokens }) => sum + nats / tokens, 0) / rows.length;
}

/**
 * Second arm minus first, in nats a token (below 0: the second gives the references more probability), with two intervals:
 * over held-out rows, all seeds of a row as one cluster (other questions, these seeds), and over seeds (other seeds, these questions).
 *
 * @throws RangeError where the arms were measured on different rows
 */
export function likelihoodDifference(pairs: readonly SeedPair[]) {
  const observations = pairs.flatMap(({ seed, first, second }) =>
    first.rows.map(({ id, nats, tokens }) => {
      const other = second.rows.find((row) => row.id === id);
      if (other === undefined || other.tokens !== tokens || first.rows.length !== second.rows.length)
        throw new RangeError(`Row ${id} was not measured alike in both arms.`);
      return { seed, row: id, difference: other.nats / tokens - nats / tokens };
    }),
  );
  const bySeed = pairs.map(({ seed, first, second }) => ({ seed, difference: meanNll(second) - meanNll(first) }));
  return {
    bySeed,
    overRows: estimatePairedDifference(observations.map(({ row, difference }) => ({ difference, cluster: row }))),
    overSeeds: estimatePairedDifference(bySeed.map(({ seed, difference }) => ({ difference, cluster: String(seed) }))),
  };
}

/** The outcome in a sentence: only what both intervals that can be had agree on is called a difference. */
export function verdictOf(
  { overRows, overSeeds }: ReturnType<typeof likelihoodDifference>,
  [first, second]: readonly [string, string],
): string {
  const signs = [overRows, overSeeds].map((estimate) => (estimate.isEstimable ? (estimate.high < 0 ? -1 : estimate.low > 0 ? 1 : 0) : 0));
  if (signs.every((sign) => sign < 0)) return `${second} gives the held-out references more probability than ${first}`;
  if (signs.every((sign) => sign > 0)) return `${second} gives the held-out references less probability than ${first}`;
  return `no difference between ${first} and ${second} is shown`;
}
