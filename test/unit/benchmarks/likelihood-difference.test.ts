import { describe, expect, it } from 'vitest';
import { likelihoodDifference, meanNll, verdictOf } from '../../../benchmarks/train/likelihood-difference.ts';
import type { Likelihood } from '../../../benchmarks/train/train-arm.ts';

/** Rows of ten tokens with these nats a token. */
const likelihood = (...perToken: number[]): Likelihood => ({
  rows: perToken.map((value, index) => ({ id: `r${index}`, tokens: 10, nats: 10 * value })),
  versions: {},
});
const names = ['tutorial', 'recommended'] as const;

describe('likelihoodDifference', () => {
  it('weighs rows alike whatever their length', () => {
    expect(
      meanNll({
        rows: [
          { id: 'a', tokens: 1, nats: 4 },
          { id: 'b', tokens: 100, nats: 200 },
        ],
        versions: {},
      }),
    ).toBe(3);
  });

  it('is second minus first, by seed, over rows with a row’s seeds as one cluster, and over seeds', () => {
    const { bySeed, overRows, overSeeds } = likelihoodDifference([
      { seed: 1, first: likelihood(2, 3, 4), second: likelihood(1.9, 2.8, 3.7) },
      { seed: 2, first: likelihood(2, 3, 4), second: likelihood(1.8, 2.9, 3.9) },
    ]);
    expect(bySeed.map(({ difference }) => Number(difference.toFixed(6)))).toEqual([-0.2, -0.133333]);
    expect(overRows).toMatchObject({ isEstimable: true, clusterCount: 3, itemCount: 6, df: 2, method: 'clustered-t' });
    expect(overSeeds).toMatchObject({ isEstimable: true, clusterCount: 2, itemCount: 2, df: 1 });
    for (const estimate of [overRows, overSeeds]) expect(estimate.isEstimable && estimate.mean).toBeCloseTo(-1 / 6, 10);
  });

  it('refuses arms that were measured on different rows', () => {
    const pair = (second: Likelihood) => () => likelihoodDifference([{ seed: 1, first: likelihood(2, 3), second }]);
    expect(pair(likelihood(2))).toThrow(RangeError);
    expect(pair({ rows: [...likelihood(2).rows, { id: 'r1', tokens: 9, nats: 9 }], versions: {} })).toThrow(RangeError);
  });
});

describe('verdictOf', () => {
  const of = (...seconds: number[][]): string =>
    verdictOf(
      likelihoodDifference(seconds.map((second, seed) => ({ seed, first: likelihood(2, 3, 4), second: likelihood(...second) }))),
      names,
    );

  it.each([
    [
      'more probability',
      [
        [1.9, 2.89, 3.9],
        [1.9, 2.9, 3.91],
      ],
    ],
    [
      'less probability',
      [
        [2.1, 3.11, 4.1],
        [2.1, 3.1, 4.09],
      ],
    ],
    [
      'no difference',
      [
        [1.9, 3.1, 4],
        [2.1, 2.9, 4.1],
      ],
    ],
  ])('says %s of %j', (words, seconds) => expect(of(...seconds)).toContain(words));

  it('shows no difference by one seed, whose spread over seeds is not known', () => {
    expect(of([1.9, 2.89, 3.9])).toBe('no difference between tutorial and recommended is shown');
  });
});
