import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testMcNemar } from '../../../../src/eval/statistics/mcnemar.ts';

describe('testMcNemar', () => {
  // statsmodels mcnemar(exact=True); mid-p from scipy's binomial by its definition.
  it.each([
    [170, 229, 0.0036354807396621514, 0.0031290161268145147],
    [30, 45, 0.10534226887460482, 0.08464609267083582],
    [8, 17, 0.10775214433670044, 0.07551869750022883],
    [0, 5, 0.0625, 0.03125],
    [1, 0, 1, 0.5],
    [3, 3, 1, 0.84375],
    [500, 600, 0.0028195449914364284, 0.002564772797753159],
    [49_000, 51_000, 2.5887160383468943e-10, 2.536769446247996e-10],
  ])('of %i lost and %i gained gives p = %f and mid-p = %f', (lost, gained, p, midP) => {
    const test = testMcNemar(lost, gained);
    if (!test.isEstimable) throw new Error(test.reason);
    expect(Math.abs(test.p / p - 1)).toBeLessThan(1e-9);
    expect(Math.abs(test.midP / midP - 1)).toBeLessThan(1e-9);
  });

  it('is not estimable without discordant items', () => {
    expect(testMcNemar(0, 0)).toEqual({ isEstimable: false, reason: 'no item is right in one arm and wrong in the other' });
  });

  it('gives p and mid-p in [0, 1], mid-p never above p, the same when the arms change places', () => {
    const discordant = fc.integer({ min: 0, max: 50_000 });
    fc.assert(
      fc.property(discordant, discordant, (lost, gained) => {
        const [test, swapped] = [testMcNemar(lost, gained), testMcNemar(gained, lost)];
        if (!test.isEstimable || !swapped.isEstimable) return;
        expect(test.p).toBe(swapped.p);
        expect(test.midP).toBe(swapped.midP);
        expect(test.midP).toBeGreaterThanOrEqual(0);
        expect(test.p).toBeLessThanOrEqual(1);
        expect(test.midP).toBeLessThanOrEqual(test.p);
      }),
    );
  });
});
