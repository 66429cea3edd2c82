import { describe, expect, it } from 'vitest';
import { macroMean, sharedCovariance } from '../../../../src/eval/statistics/macro-mean.ts';
import { estimatePairedDifference, type PairedObservation } from '../../../../src/eval/statistics/paired-difference.ts';

describe('macroMean', () => {
  it('gives one benchmark its own interval back', () => {
    const own = estimatePairedDifference([1, 0, -1, 1, 1, 0].map((difference, index) => ({ difference, cluster: String(index) })));
    if (!own.isEstimable) throw new Error(own.reason);
    const macro = macroMean([own]);
    if (!macro.isEstimable) throw new Error(macro.reason);
    expect(macro.low).toBeCloseTo(own.low, 10);
    expect(macro.high).toBeCloseTo(own.high, 10);
    expect(macro.p).toBeCloseTo(own.p, 10);
  });

  it('weighs benchmarks alike and takes √ΣSE²/M', () => {
    const macro = macroMean([
      { mean: 0.1, standardError: 0.03, df: 50 },
      { mean: -0.02, standardError: 0.04, df: 1000 },
    ]);
    if (!macro.isEstimable) throw new Error(macro.reason);
    expect(macro.mean).toBeCloseTo(0.04, 12);
    expect(macro.standardError).toBeCloseTo(0.025, 12);
    // (0.0009 + 0.0016)² / (0.0009²/50 + 0.0016²/1000)
    expect(macro.df).toBeCloseTo(6.25e-6 / (8.1e-7 / 50 + 2.56e-6 / 1000), 6);
  });

  it('is not estimable without benchmarks or without spread', () => {
    expect(macroMean([])).toEqual({ isEstimable: false, reason: 'there are no benchmarks' });
    expect(macroMean([{ mean: 1, standardError: 0, df: 3 }])).toEqual({ isEstimable: false, reason: 'no benchmark shows any spread' });
  });
});

describe('sharedCovariance', () => {
  const observe = (rows: readonly (readonly [number, string])[]): PairedObservation[] =>
    rows.map(([difference, cluster]) => ({ difference, cluster }));
  const first = observe([
    [1, 'a'],
    [0, 'a'],
    [-1, 'b'],
    [1, 'c'],
    [0, 'd'],
  ]);
  const second = observe([
    [1, 'a'],
    [1, 'c'],
    [-1, 'b'],
    [0, 'e'],
  ]);

  it('of a benchmark with itself is the square of its standard error', () => {
    const own = estimatePairedDifference(first);
    if (!own.isEstimable) throw new Error(own.reason);
    expect(sharedCovariance(first, first)).toBeCloseTo(own.standardError ** 2, 12);
  });

  it('is the same both ways, and 0 without common clusters or observations', () => {
    expect(sharedCovariance(first, second)).toBeCloseTo(sharedCovariance(second, first), 15);
    expect(sharedCovariance(first, second)).toBeGreaterThan(0);
    expect(
      sharedCovariance(
        first,
        observe([
          [1, 'x'],
          [0, 'y'],
        ]),
      ),
    ).toBe(0);
    expect(sharedCovariance(first, [])).toBe(0);
    expect(
      sharedCovariance(
        first,
        observe([
          [1, 'a'],
          [0, 'a'],
        ]),
      ),
    ).toBe(0);
  });

  it('makes the macro mean of one benchmark taken twice that benchmark', () => {
    const own = estimatePairedDifference(first);
    if (!own.isEstimable) throw new Error(own.reason);
    const macro = macroMean([own, own], 0.95, sharedCovariance(first, first));
    if (!macro.isEstimable) throw new Error(macro.reason);
    expect(macro.low).toBeCloseTo(own.low, 10);
    expect(macro.high).toBeCloseTo(own.high, 10);
    expect(macro.df).toBe(own.df);
  });

  it('leaves nothing to estimate where two benchmarks cancel', () => {
    const own = { mean: 0, standardError: 0.1, df: 20 };
    expect(macroMean([own, own], 0.95, -0.01)).toEqual({ isEstimable: false, reason: 'no benchmark shows any spread' });
  });
});
