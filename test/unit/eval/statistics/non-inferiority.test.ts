import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideNonInferiority } from '../../../../src/eval/statistics/non-inferiority.ts';
import { decideVerdict } from '../../../../src/eval/statistics/verdict.ts';

describe('decideNonInferiority', () => {
  it.each([
    ['passed', { low: -0.9, high: 3 }, -1, true],
    ['notShown', { low: -1, high: 3 }, -1, true],
    ['notShown', { low: -4, high: 3 }, -1, true],
    ['failed', { low: -4, high: -1.1 }, -1, true],
    ['notShown', null, -1, true],
    ['passed', { low: -0.2, high: 0.04 }, 0.05, false],
    ['notShown', { low: -0.2, high: 0.06 }, 0.05, false],
    ['failed', { low: 0.06, high: 0.2 }, 0.05, false],
  ] as const)('is %s for %j beside %f', (expected, interval95, bound, isHigherBetter) => {
    expect(decideNonInferiority({ interval95, bound, isHigherBetter })).toBe(expected);
  });

  it('passes a bound of 0 just where the verdict is better', () => {
    const end = fc.double({ min: -5, max: 5, noNaN: true });
    fc.assert(
      fc.property(end, end, fc.boolean(), (one, other, isHigherBetter) => {
        const interval95 = { low: Math.min(one, other), high: Math.max(one, other) };
        const isBetter = decideVerdict({ interval95, interval90: null, margin: null, isHigherBetter }) === 'better';
        expect(decideNonInferiority({ interval95, bound: 0, isHigherBetter }) === 'passed').toBe(isBetter);
      }),
    );
  });
});
