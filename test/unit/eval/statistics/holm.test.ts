import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { adjustHolm } from '../../../../src/eval/statistics/holm.ts';

describe('adjustHolm', () => {
  it('agrees with statsmodels, in the order given', () => {
    expect(adjustHolm([0.01, 0.04, 0.03, 0.005]).map((p) => Number(p.toFixed(12)))).toEqual([0.03, 0.06, 0.06, 0.02]);
  });

  it('leaves nothing and a single p-value alone', () => {
    expect(adjustHolm([])).toEqual([]);
    expect(adjustHolm([0.2])).toEqual([0.2]);
  });

  it('lies between the p-value and Bonferroni', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }), (pValues) => {
        for (const [index, adjusted] of adjustHolm(pValues).entries()) {
          const p = pValues[index] ?? 0;
          expect(adjusted).toBeGreaterThanOrEqual(p);
          expect(adjusted).toBeLessThanOrEqual(Math.max(...pValues.map((other) => Math.min(1, other * pValues.length))));
        }
      }),
    );
  });
});
