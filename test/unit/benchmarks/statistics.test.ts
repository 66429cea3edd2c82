import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { meanOf, percentilesOf, quantile, spreadOf } from '../../../benchmarks/serve/statistics.ts';

describe('quantiles', () => {
  it('agree with what NumPy gives for the same numbers', () => {
    const values = [15, 20, 35, 40, 50];
    expect(quantile(values, 0)).toBe(15);
    expect(quantile(values, 0.4)).toBeCloseTo(29, 12);
    expect(quantile(values, 0.95)).toBeCloseTo(48, 12);
    expect(quantile(values, 1)).toBe(50);
  });

  it('do not mind the order, and sort as numbers', () => {
    expect(quantile([100, 9, 20], 0.5)).toBe(20);
  });

  it('lie between the least and the greatest and rise with the share', () => {
    const values = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 });
    fc.assert(
      fc.property(values, (numbers) => {
        const { p50, p95, p99 } = percentilesOf(numbers);
        expect(p50).toBeGreaterThanOrEqual(Math.min(...numbers));
        expect(p50).toBeLessThanOrEqual(p95);
        expect(p95).toBeLessThanOrEqual(p99);
        expect(p99).toBeLessThanOrEqual(Math.max(...numbers));
      }),
    );
  });

  it('of no values are refused, so that an empty measurement is no figure', () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
    expect(() => spreadOf([])).toThrow(RangeError);
    expect(() => meanOf([])).toThrow(RangeError);
  });
});

describe('the spread over rounds', () => {
  it('is the median with the least and the greatest', () => {
    expect(spreadOf([1.2, 0.9, 1])).toEqual({ median: 1, min: 0.9, max: 1.2 });
  });

  it('of an even number of rounds takes the middle of the two in the middle', () => {
    expect(spreadOf([1, 2, 4, 10]).median).toBe(3);
  });
});
