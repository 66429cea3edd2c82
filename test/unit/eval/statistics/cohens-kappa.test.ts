import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cohensKappa } from '../../../../src/eval/statistics/cohens-kappa.ts';

const names = ['base', 'tuned', 'tie'];
const expand = (table: readonly (readonly number[])[]): [string, string][] =>
  table.flatMap((row, first) =>
    row.flatMap((count, second) => Array.from({ length: count }, (): [string, string] => [names[first] ?? '', names[second] ?? ''])),
  );

describe('cohensKappa', () => {
  // statsmodels.stats.inter_rater.cohens_kappa
  it.each([
    [
      [
        [20, 5],
        [10, 15],
      ],
      0.4,
      0.151092290476661,
      0.6489077095233389,
    ],
    [
      [
        [44, 5, 1],
        [7, 20, 3],
        [9, 5, 6],
      ],
      0.49152542372881347,
      0.35015820121748686,
      0.6328926462401401,
    ],
  ])('agrees with statsmodels', (table, kappa, low, high) => {
    const agreement = cohensKappa(expand(table));
    if (!agreement.isEstimable) throw new Error(agreement.reason);
    expect(agreement.kappa).toBeCloseTo(kappa, 12);
    expect(agreement.interval?.low).toBeCloseTo(low, 10);
    expect(agreement.interval?.high).toBeCloseTo(high, 10);
  });

  it('is 1 without an interval where the raters agree on everything', () => {
    const full = cohensKappa(
      expand([
        [10, 0],
        [0, 3],
      ]),
    );
    expect(full).toEqual({ isEstimable: true, kappa: 1, interval: null, agreement: 1, count: 13 });
  });

  it('is 0 without an interval where one rater always says the same, or the two never meet', () => {
    for (const table of [[[7, 3]], [[0, 5]], [[3], [4], [2]]]) {
      const agreement = cohensKappa(expand(table));
      if (!agreement.isEstimable) throw new Error(agreement.reason);
      expect(agreement.kappa).toBeCloseTo(0, 12);
      expect(agreement.interval).toBeNull();
    }
  });

  it.each([
    ['nothing', [], 'there are no ratings'],
    ['one category', expand([[7]]), 'both raters use one category only'],
  ])('is not estimable for %s', (_name, ratings, reason) => {
    expect(cohensKappa(ratings)).toEqual({ isEstimable: false, reason });
  });

  it('is finite, at most 1, and the same when the raters change places', () => {
    const rating = fc.constantFrom(...names);
    fc.assert(
      fc.property(fc.array(fc.tuple(rating, rating), { maxLength: 40 }), (ratings) => {
        const one = cohensKappa(ratings);
        const other = cohensKappa(ratings.map(([first, second]) => [second, first] as const));
        expect(one.isEstimable).toBe(other.isEstimable);
        if (!one.isEstimable || !other.isEstimable) return;
        expect(one.kappa).toBeLessThanOrEqual(1 + 1e-12);
        expect(other.kappa).toBeCloseTo(one.kappa, 12);
        for (const end of [one.interval?.low ?? 0, one.interval?.high ?? 0]) expect(Number.isFinite(end)).toBe(true);
      }),
    );
  });
});
