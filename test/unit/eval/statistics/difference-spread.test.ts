import { describe, expect, it } from 'vitest';
import { detectableDifference } from '../../../../src/eval/statistics/detectable-difference.ts';
import { estimateSpread } from '../../../../src/eval/statistics/difference-spread.ts';

describe('estimateSpread', () => {
  it('parts the variance of the item differences and adds up to it', () => {
    const items = [
      { baseRight: 0, tunedRight: 2 },
      { baseRight: 1, tunedRight: 1 },
      { baseRight: 2, tunedRight: 2 },
      { baseRight: 2, tunedRight: 1 },
      { baseRight: 0, tunedRight: 0 },
    ];
    const spread = estimateSpread(items, 2);
    if (!spread.isEstimable) throw new Error(spread.reason);
    // Two attempts: the variance within is 1/2 for one right of two, else 0.
    expect(spread.withinBase).toBeCloseTo(0.1, 12);
    expect(spread.withinTuned).toBeCloseTo(0.2, 12);
    // Differences 1, 0, 0, -0.5, 0: variance 0.3.
    expect(spread.betweenItems).toBeCloseTo(0.3 - 0.3 / 2, 12);
    expect(detectableDifference(5, 2, spread)).toBeCloseTo(2.8015852 * Math.sqrt(0.3 / 5), 6);
  });

  it('holds the spread between items at 0 or above', () => {
    const spread = estimateSpread(
      [
        { baseRight: 1, tunedRight: 1 },
        { baseRight: 1, tunedRight: 1 },
      ],
      2,
    );
    expect(spread).toMatchObject({ betweenItems: 0, withinBase: 0.5, withinTuned: 0.5 });
  });

  it.each([
    [[], 2, 'there are fewer than two items'],
    [[{ baseRight: 1, tunedRight: 0 }], 2, 'there are fewer than two items'],
    [
      [
        { baseRight: 1, tunedRight: 0 },
        { baseRight: 1, tunedRight: 0 },
      ],
      1,
      'one attempt does not tell the spread within an item from that between items',
    ],
  ])('is not estimable for %j with %i attempts', (items, attempts, reason) => {
    expect(estimateSpread(items, attempts)).toEqual({ isEstimable: false, reason });
  });
});
