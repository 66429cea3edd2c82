import { describe, expect, it } from 'vitest';
import { bootstrapPairedDifference, quantileOfSorted } from '../../../../src/eval/statistics/cluster-bootstrap.ts';
import { estimatePairedDifference } from '../../../../src/eval/statistics/paired-difference.ts';

const observations = Array.from({ length: 300 }, (_value, index) => ({
  difference: [1, 0, 0, -1, 0, 1, 0][index % 7] ?? 0,
  cluster: `c${Math.floor(index / 2)}`,
}));

describe('bootstrapPairedDifference', () => {
  it('comes close to the clustered t interval', () => {
    const bootstrap = bootstrapPairedDifference(observations, { seed: 1 });
    const exact = estimatePairedDifference(observations);
    if (!bootstrap.isEstimable || !exact.isEstimable) throw new Error('not estimable');
    expect(bootstrap.draws).toBe(10_000);
    expect(Math.abs(bootstrap.low - exact.low)).toBeLessThan(0.005);
    expect(Math.abs(bootstrap.high - exact.high)).toBeLessThan(0.005);
  });

  it('repeats itself with its seed, whatever the order of the items, and not with another', () => {
    const first = bootstrapPairedDifference(observations, { seed: 7, draws: 500 });
    expect(bootstrapPairedDifference(observations.toReversed(), { seed: 7, draws: 500 })).toEqual(first);
    expect(bootstrapPairedDifference(observations, { seed: 8, draws: 500 })).not.toMatchObject({
      low: first.isEstimable ? first.low : 0,
      high: first.isEstimable ? first.high : 0,
    });
  });

  it('is not estimable where all draws come out the same, which would be an interval without width', () => {
    const same = ['a', 'b', 'b', 'c'].map((cluster) => ({ difference: 1 / 3, cluster }));
    expect(bootstrapPairedDifference(same, { seed: 1, draws: 50 })).toEqual({
      isEstimable: false,
      reason: 'all 50 draws give the same mean',
    });
  });

  it('is not estimable with fewer than two clusters', () => {
    expect(bootstrapPairedDifference([], { seed: 1 }).isEstimable).toBe(false);
    expect(
      bootstrapPairedDifference(
        [
          { difference: 1, cluster: 'a' },
          { difference: 0, cluster: 'a' },
        ],
        { seed: 1 },
      ).isEstimable,
    ).toBe(false);
  });
});

describe('quantileOfSorted', () => {
  it('interpolates as numpy does', () => {
    expect(quantileOfSorted([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantileOfSorted([1, 2, 3, 4], 0.95)).toBeCloseTo(3.85, 12);
    expect(quantileOfSorted([5], 0.3)).toBe(5);
  });
});
