import { describe, expect, it } from 'vitest';
import { noDifferenceBound } from '../../../../src/eval/statistics/no-difference-bound.ts';

describe('noDifferenceBound', () => {
  it('is the exact upper end of Clopper and Pearson for none in n', () => {
    // scipy.stats.binomtest(0, n).proportion_ci().high
    expect(noDifferenceBound(10)).toBeCloseTo(0.30849710781876083, 12);
    expect(noDifferenceBound(500)).toBeCloseTo(0.0073506111, 8);
    expect(noDifferenceBound(1)).toBeCloseTo(0.975, 12);
  });

  it('says that anything is possible where nothing was seen', () => {
    expect(noDifferenceBound(0)).toBe(1);
  });
});
