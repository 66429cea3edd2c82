import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideVerdict } from '../../../../src/eval/statistics/verdict.ts';

const decide = (low95: number, high95: number, low90: number, high90: number, margin: number | null, isHigherBetter = true) =>
  decideVerdict({ interval95: { low: low95, high: high95 }, interval90: { low: low90, high: high90 }, margin, isHigherBetter });

describe('decideVerdict', () => {
  it.each([
    ['better', decide(0.1, 5, 0.5, 4.6, 3)],
    ['worse', decide(-5, -0.1, -4.6, -0.5, 3)],
    ['better', decide(-5, -0.1, -4.6, -0.5, null, false)],
    ['worse', decide(0.1, 5, 0.5, 4.6, null, false)],
    ['equivalent', decide(-2.5, 2.5, -2, 2, 3)],
    ['none', decide(-4, 3, -3.5, 2, 3)],
    ['none', decide(-2.5, 2.5, -2, 2, null)],
    ['none', decide(0, 5, 0.4, 4.6, 3)],
    ['better', decide(0.1, 1, 0.2, 0.9, 3)],
  ])('says %s', (expected, verdict) => {
    expect(verdict).toBe(expected);
  });

  it('says none where no interval was estimable', () => {
    expect(decideVerdict({ interval95: null, interval90: null, margin: 5, isHigherBetter: true })).toBe('none');
  });

  it('turns round when the arms change places', () => {
    const number = fc.double({ min: -10, max: 10, noNaN: true });
    const opposite = { better: 'worse', worse: 'better', equivalent: 'equivalent', none: 'none' } as const;
    fc.assert(
      fc.property(number, fc.double({ min: 0.01, max: 5, noNaN: true }), (middle, reach) => {
        const there = decide(middle - reach, middle + reach, middle - 0.8 * reach, middle + 0.8 * reach, 3);
        const back = decide(-middle - reach, -middle + reach, -middle - 0.8 * reach, -middle + 0.8 * reach, 3);
        expect(back).toBe(opposite[there]);
      }),
    );
  });
});
