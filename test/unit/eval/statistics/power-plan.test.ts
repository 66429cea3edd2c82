import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectableDifference } from '../../../../src/eval/statistics/detectable-difference.ts';
import { planForDifference } from '../../../../src/eval/statistics/power-plan.ts';

const spread = { betweenItems: 0.1, withinBase: 0.1, withinTuned: 0.1 };

describe('planForDifference', () => {
  it('takes one attempt of many items where there are enough', () => {
    // 0.3 · (2.8016/0.05)² = 941.9
    const { chosen } = planForDifference({ difference: 0.05, spread, itemsAvailable: null });
    expect(chosen).toEqual({ items: 942, attempts: 1, generations: 1884 });
  });

  it('takes more attempts where the items run out', () => {
    const { chosen, options } = planForDifference({ difference: 0.05, spread, itemsAvailable: 500 });
    // (0.1 + 0.2/4) · 3139.6 = 471
    expect(chosen).toEqual({ items: 471, attempts: 4, generations: 3768 });
    expect(options.map(({ attempts }) => attempts)).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
  });

  it('says what can be reached where no number of attempts is enough', () => {
    const { chosen, smallestReachable } = planForDifference({ difference: 0.05, spread, itemsAvailable: 200 });
    expect(chosen).toBeNull();
    expect(smallestReachable).toBeCloseTo(detectableDifference(200, 16, spread), 12);
    expect(smallestReachable).toBeGreaterThan(0.05);
  });

  it('needs as many times more items as clusters take away', () => {
    const { chosen } = planForDifference({ difference: 0.05, spread, itemsAvailable: null, designEffect: 1.5 });
    expect(chosen?.items).toBe(1413);
  });

  it('never plans fewer items than the difference needs, nor one more than that', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 0.5, noNaN: true }),
        fc.double({ min: 0.05, max: 0.5, noNaN: true }),
        (difference, betweenItems) => {
          const { chosen } = planForDifference({ difference, spread: { betweenItems }, itemsAvailable: null });
          if (chosen === null) throw new Error('items have no end');
          expect(detectableDifference(chosen.items, 1, { betweenItems })).toBeLessThanOrEqual(difference + 1e-12);
          if (chosen.items > 2) expect(detectableDifference(chosen.items - 1, 1, { betweenItems })).toBeGreaterThan(difference - 1e-12);
        },
      ),
    );
  });

  it('has nothing to choose without items', () => {
    expect(planForDifference({ difference: 0.05, spread, itemsAvailable: 0 })).toMatchObject({ chosen: null, smallestReachable: null });
  });

  it.each([0, -0.05, 5, Number.NaN])('refuses a difference of %f', (difference) => {
    expect(() => planForDifference({ difference, spread, itemsAvailable: null })).toThrow(RangeError);
  });

  it('refuses a design effect below 1', () => {
    expect(() => planForDifference({ difference: 0.05, spread, itemsAvailable: null, designEffect: 0.5 })).toThrow(RangeError);
  });
});
