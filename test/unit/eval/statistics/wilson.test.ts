import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wilsonInterval } from '../../../../src/eval/statistics/wilson.ts';

describe('wilsonInterval', () => {
  // statsmodels proportion_confint(method="wilson")
  it.each([
    [0, 10, 0, 0.27753279986288926],
    [10, 10, 0.7224672001371106, 1],
    [37, 60, 0.49017595824099924, 0.7291172762591798],
    [1171, 1273, 0.9036664095122107, 0.9335557785794426],
    [1, 2, 0.09453120573423068, 0.9054687942657693],
  ])('of %i in %i is %f to %f', (successes, count, low, high) => {
    const interval = wilsonInterval(successes, count);
    if (!interval.isEstimable) throw new Error(interval.reason);
    expect(interval.low).toBeCloseTo(low, 12);
    expect(interval.high).toBeCloseTo(high, 12);
  });

  it('is not estimable for nothing', () => {
    expect(wilsonInterval(0, 0)).toEqual({ isEstimable: false, reason: 'there are no items' });
  });

  it('holds the share and stays in [0, 1]', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), fc.double({ min: 0, max: 1, noNaN: true }), (count, share) => {
        const interval = wilsonInterval(share * count, count);
        if (!interval.isEstimable) throw new Error(interval.reason);
        expect(interval.low).toBeGreaterThanOrEqual(0);
        expect(interval.high).toBeLessThanOrEqual(1);
        expect(interval.low).toBeLessThanOrEqual(interval.share + 1e-12);
        expect(interval.high).toBeGreaterThanOrEqual(interval.share - 1e-12);
      }),
    );
  });
});
