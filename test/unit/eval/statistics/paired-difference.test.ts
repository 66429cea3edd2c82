import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { estimatePairedDifference, type PairedObservation } from '../../../../src/eval/statistics/paired-difference.ts';

const unclustered = (differences: readonly number[]): PairedObservation[] =>
  differences.map((difference, index) => ({ difference, cluster: `item ${index}` }));
const clustered = (differences: readonly number[], clusters: readonly number[]): PairedObservation[] =>
  differences.map((difference, index) => ({ difference, cluster: String(clusters[index]) }));
const arbitraryObservations = fc.array(
  fc.record({ difference: fc.constantFrom(-1, -0.5, 0, 0.5, 1), cluster: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f') }),
  { minLength: 2, maxLength: 60 },
);

describe('estimatePairedDifference', () => {
  it('gives 4.63 pp with a standard error of 1.56 pp for 170 lost and 229 gained of 1273', () => {
    const estimate = estimatePairedDifference(
      unclustered([...Array<number>(170).fill(-1), ...Array<number>(229).fill(1), ...Array<number>(874).fill(0)]),
    );
    if (!estimate.isEstimable) throw new Error(estimate.reason);
    // scipy.stats.ttest_1samp
    expect(estimate.mean).toBeCloseTo(0.046347211311861744, 12);
    expect(estimate.standardError).toBeCloseTo(0.01564355242796335, 12);
    expect(estimate.low).toBeCloseTo(0.015657209536470693, 11);
    expect(estimate.high).toBeCloseTo(0.0770372130872528, 11);
    expect(estimate.p).toBeCloseTo(0.003106171702302963, 11);
    expect(estimate).toMatchObject({ df: 1272, itemCount: 1273, clusterCount: 1273, method: 'paired-t' });
  });

  it('gives the textbook interval of statsmodels on clustered items where that is asked for', () => {
    const estimate = estimatePairedDifference(clustered([1, 0, -1, 1, 0, 0, 1, -1, 0, 1], [0, 0, 1, 1, 2, 2, 3, 4, 4, 5]), 0.95, 'plain');
    if (!estimate.isEstimable) throw new Error(estimate.reason);
    // OLS on a constant, cov_type="cluster", use_t=True
    expect(estimate.standardError).toBeCloseTo(0.21688707, 8);
    expect(estimate.low).toBeCloseTo(-0.35752596, 8);
    expect(estimate.high).toBeCloseTo(0.75752596, 8);
    expect(estimate.p).toBeCloseTo(0.39876854, 8);
    expect(estimate).toMatchObject({ df: 5, clusterCount: 6, method: 'clustered-t' });
  });

  it.each([
    // By numpy, from the matrices of CR2 and its degrees of freedom; the second with a correlation of 0.458 within clusters.
    [[1, 0, -1, 1, 0, 0, 1, -1, 0, 1], [0, 0, 1, 1, 2, 2, 3, 4, 4, 5], 0.21730674684008827, 4.563380281690143, 0.40341852346937784],
    [
      [1, 1, -1, 1, 1, 0, 1, -1, -1, 1, 0, 0],
      [0, 0, 1, 2, 0, 0, 3, 4, 4, 5, 6, 6],
      0.3470656212512922,
      3.0771766026445797,
      0.5221777789716631,
    ],
  ])('corrects for clusters of unequal size', (differences, clusters, standardError, df, p) => {
    const estimate = estimatePairedDifference(clustered(differences, clusters));
    if (!estimate.isEstimable) throw new Error(estimate.reason);
    expect(estimate.standardError).toBeCloseTo(standardError, 12);
    expect(estimate.df).toBeCloseTo(df, 11);
    expect(estimate.p).toBeCloseTo(p, 11);
  });

  it('is the textbook interval where clusters have one size', () => {
    const observations = clustered([1, 0, -1, 1, 0, 0, 1, -1], [0, 0, 1, 1, 2, 2, 3, 3]);
    expect(estimatePairedDifference(observations)).toEqual(estimatePairedDifference(observations, 0.95, 'plain'));
    expect(estimatePairedDifference(observations)).toMatchObject({ df: 3 });
  });

  it.each([
    ['no items', [], 'there are no paired items'],
    ['one item', [{ difference: 1, cluster: 'a' }], 'there is only one paired item'],
    [
      'one cluster',
      [
        { difference: 1, cluster: 'a' },
        { difference: 0, cluster: 'a' },
      ],
      'all 2 items belong to one cluster',
    ],
    ['no difference anywhere', unclustered([0, 0, 0]), 'the difference is the same everywhere (0), so its spread is unknown'],
    [
      'the same difference everywhere',
      unclustered([1 / 3, 1 / 3, 2 / 3 - 1 / 3]),
      'the difference is the same everywhere (0.333333), so its spread is unknown',
    ],
    [
      'clusters that all come out alike',
      [
        { difference: 1, cluster: 'a' },
        { difference: -1, cluster: 'a' },
        { difference: 1, cluster: 'b' },
        { difference: -1, cluster: 'b' },
      ],
      'the difference is the same everywhere (0), so its spread is unknown',
    ],
  ])('is not estimable for %s', (_name, observations, reason) => {
    expect(estimatePairedDifference(observations)).toEqual({ isEstimable: false, reason });
  });

  it('never gives a number that is not finite', () => {
    fc.assert(
      fc.property(arbitraryObservations, (observations) => {
        const estimate = estimatePairedDifference(observations);
        if (estimate.isEstimable)
          expect(Object.values(estimate).filter((value) => typeof value === 'number' && !Number.isFinite(value))).toEqual([]);
        else expect(estimate.reason).not.toBe('');
      }),
    );
  });

  it('turns round when the arms change places', () => {
    fc.assert(
      fc.property(arbitraryObservations, (observations) => {
        const there = estimatePairedDifference(observations);
        const back = estimatePairedDifference(observations.map(({ difference, cluster }) => ({ difference: -difference, cluster })));
        expect(back.isEstimable).toBe(there.isEstimable);
        if (!there.isEstimable || !back.isEstimable) return;
        expect(back.mean).toBeCloseTo(-there.mean, 12);
        expect(back.low).toBeCloseTo(-there.high, 12);
        expect(back.high).toBeCloseTo(-there.low, 12);
        expect(back.p).toBeCloseTo(there.p, 12);
      }),
    );
  });

  it('does not depend on the order of the items', () => {
    fc.assert(
      fc.property(
        arbitraryObservations.chain((observations) =>
          fc.tuple(
            fc.constant(observations),
            fc.shuffledSubarray(observations, { minLength: observations.length, maxLength: observations.length }),
          ),
        ),
        ([observations, shuffled]) => {
          const [one, other] = [estimatePairedDifference(observations), estimatePairedDifference(shuffled)];
          expect(other.isEstimable).toBe(one.isEstimable);
          if (!one.isEstimable || !other.isEstimable) return;
          expect(other.low).toBeCloseTo(one.low, 10);
          expect(other.high).toBeCloseTo(one.high, 10);
        },
      ),
    );
  });

  it('is the ordinary paired t interval when every cluster holds one item', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.integer({ min: -8, max: 8 }).map((eighths) => eighths / 8),
          { minLength: 3, maxLength: 50 },
        ),
        (differences) => {
          const estimate = estimatePairedDifference(unclustered(differences));
          const n = differences.length;
          const mean = differences.reduce((sum, value) => sum + value, 0) / n;
          const standardError = Math.sqrt(differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1) / n);
          if (standardError < 1e-12) return;
          if (!estimate.isEstimable) throw new Error(estimate.reason);
          expect(estimate.standardError).toBeCloseTo(standardError, 12);
          expect(estimate.df).toBe(n - 1);
        },
      ),
    );
  });
});
