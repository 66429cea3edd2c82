import { describe, expect, it } from 'vitest';
import { fairBinomialCdf, normalQuantile, studentTQuantile, studentTTwoSidedP } from '../../../../src/eval/statistics/distributions.ts';

describe('distributions', () => {
  it('agree with scipy', () => {
    expect(studentTQuantile(0.975, 1272)).toBeCloseTo(1.961830723342078, 10);
    expect(studentTTwoSidedP(-3, 10)).toBeCloseTo(2 * 0.006671827511284785, 12);
    expect(normalQuantile(0.8)).toBeCloseTo(0.8416212335729143, 12);
    expect(fairBinomialCdf(170, 399)).toBeCloseTo(0.0018177403698310757, 12);
  });

  it('throw where the library would answer NaN', () => {
    expect(() => studentTQuantile(0.975, -1)).toThrow(RangeError);
    expect(() => normalQuantile(2)).toThrow(RangeError);
  });
});
