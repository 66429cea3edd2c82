import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planLooks, spentAlpha } from '../../../../src/eval/statistics/group-sequential.ts';
import { estimatePairedDifference } from '../../../../src/eval/statistics/paired-difference.ts';

const equalLooks = (count: number): number[] => Array.from({ length: count }, (_, index) => (index + 1) / count);

describe('planLooks', () => {
  // Published two-sided 5 % bounds of the spending function like O'Brien and Fleming's, as ld98, gsDesign and rpact print them.
  it.each([
    [2, [2.963, 1.969]],
    [3, [3.71, 2.511, 1.993]],
    [4, [4.333, 2.963, 2.359, 2.014]],
    [5, [4.877, 3.357, 2.68, 2.29, 2.031]],
  ])('gives the published bounds of %i equal looks', (count, bounds) => {
    expect(planLooks(equalLooks(count)).map(({ bound }) => Number(bound.toFixed(3)))).toEqual(bounds);
  });

  it('gives the bounds of unequal looks as the multivariate normal distribution does', () => {
    // scipy.stats.multivariate_normal, solved for the bounds; its own error is about 1e-7.
    const expected = [3.9285725535497757, 3.1489758910264776, 1.9647923201759534];
    for (const [index, { bound }] of planLooks([0.3, 0.45, 1]).entries()) expect(bound).toBeCloseTo(expected[index] ?? 0, 6);
  });

  it('is the plain test where the only look is at the end', () => {
    const [look] = planLooks([1]);
    expect(look?.bound).toBeCloseTo(1.959963984540054, 9);
    expect(look?.nominalAlpha).toBeCloseTo(0.05, 9);
  });

  it('cuts bounds off at 8, so that a look at next to nothing has an interval with ends', () => {
    const [look] = planLooks([0.01, 1]);
    if (look === undefined) throw new Error('no look');
    expect(look.bound).toBe(8);
    const estimate = estimatePairedDifference(
      [1, 0, -1, 1, 0].map((difference, index) => ({ difference, cluster: String(index) })),
      1 - look.nominalAlpha,
    );
    expect(estimate).toMatchObject({ isEstimable: true });
    if (estimate.isEstimable) expect(Number.isFinite(estimate.low)).toBe(true);
  });

  it('does not let later looks move earlier bounds', () => {
    expect(planLooks([0.25, 0.6, 1]).slice(0, 2)).toEqual(planLooks([0.25, 0.6]));
  });

  it('is finite for looks that are very early or close together, and spends no more than alpha', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 6 }), (places) => {
        const looks = planLooks(places.toSorted((a, b) => a - b).map((place) => place / 1000));
        for (const { bound, nominalAlpha, spent } of looks) {
          expect(Number.isFinite(bound)).toBe(true);
          expect(nominalAlpha).toBeGreaterThanOrEqual(0);
          expect(nominalAlpha).toBeLessThanOrEqual(0.05 + 1e-9);
          expect(spent).toBeLessThanOrEqual(0.05 + 1e-12);
        }
      }),
      { numRuns: 30 },
    );
  });

  it.each([[[]], [[0]], [[0.5, 0.5]], [[0.5, 0.4]], [[0.5, 1.1]], [[Number.NaN]]])('refuses looks at %j', (fractions) => {
    expect(() => planLooks(fractions)).toThrow(RangeError);
  });
});

describe('spentAlpha', () => {
  it('spends nearly nothing early and all at the end', () => {
    expect(spentAlpha(0.2)).toBeLessThan(2e-6);
    expect(spentAlpha(0.5)).toBeCloseTo(0.003050645517977806, 9);
    expect(spentAlpha(1)).toBeCloseTo(0.05, 12);
  });
});
