import { describe, expect, it } from 'vitest';
import {
  detectableDifference,
  detectableStandardErrors,
  itemsForDifference,
} from '../../../../src/eval/statistics/detectable-difference.ts';

const discordance = { betweenItems: 0.3 };

describe('detectableDifference', () => {
  it.each([
    [50, 21.7],
    [200, 10.9],
    [500, 6.9],
    [1273, 4.3],
  ])('of %i items at 30 %% discordance is %f pp', (items, pp) => {
    expect(Number((100 * detectableDifference(items, 1, discordance)).toFixed(1))).toBe(pp);
  });

  it('falls with more attempts only as far as the spread within items goes', () => {
    const spread = { betweenItems: 0.1, withinBase: 0.1, withinTuned: 0.1 };
    expect(detectableDifference(100, 1, spread)).toBeCloseTo(2.8015852 * Math.sqrt(0.3 / 100), 6);
    expect(detectableDifference(100, 4, spread)).toBeCloseTo(2.8015852 * Math.sqrt(0.15 / 100), 6);
  });

  it('is undone by itemsForDifference', () => {
    const items = itemsForDifference(0.05, 1, discordance);
    expect(detectableDifference(items, 1, discordance)).toBeLessThanOrEqual(0.05);
    expect(detectableDifference(items - 1, 1, discordance)).toBeGreaterThan(0.05);
  });
});

describe('without items or a difference', () => {
  it('throws in place of giving an infinite number', () => {
    expect(() => detectableDifference(0, 1, discordance)).toThrow(RangeError);
    expect(() => detectableDifference(10, 0, discordance)).toThrow(RangeError);
    expect(() => itemsForDifference(0, 1, discordance)).toThrow(RangeError);
  });
});

describe('detectableStandardErrors', () => {
  it('grows where the standard error was estimated from few clusters', () => {
    expect(detectableStandardErrors()).toBeCloseTo(2.8015852, 6);
    expect(detectableStandardErrors(undefined, 1e9)).toBeCloseTo(2.8015852, 6);
    // scipy.stats.t.ppf(0.975, 16) + scipy.stats.t.ppf(0.8, 16)
    expect(detectableStandardErrors(undefined, 16)).toBeCloseTo(2.984572, 5);
  });
});
