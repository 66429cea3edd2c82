import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clusterVariance, intraclassCorrelation, type ClusterResiduals } from '../../../../src/eval/statistics/cluster-variance.ts';

function residualsOf(clusters: readonly (readonly number[])[]): ClusterResiduals {
  const items = clusters.flat();
  const mean = items.reduce((sum, value) => sum + value, 0) / items.length;
  return {
    sizes: clusters.map(({ length }) => length),
    sums: clusters.map((values) => values.reduce((sum, value) => sum + (value - mean), 0)),
    squares: clusters.map((values) => values.reduce((sum, value) => sum + (value - mean) ** 2, 0)),
  };
}

const arbitraryClusters = fc.array(fc.array(fc.constantFrom(-1, -0.5, 0, 0.5, 1), { minLength: 1, maxLength: 6 }), {
  minLength: 2,
  maxLength: 12,
});

describe('clusterVariance', () => {
  it('never has more degrees of freedom than clusters less one, and at least a small positive number', () => {
    fc.assert(
      fc.property(arbitraryClusters, (clusters) => {
        const { standardError, df } = clusterVariance(residualsOf(clusters));
        expect(standardError).toBeGreaterThanOrEqual(0);
        expect(df).toBeGreaterThan(0.5);
        expect(df).toBeLessThanOrEqual(clusters.length - 1 + 1e-9);
      }),
    );
  });

  it('counts few clusters where one of them holds nearly all items', () => {
    const clusters = [Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? 1 : -1)), ...Array.from({ length: 30 }, () => [1])];
    expect(clusterVariance(residualsOf(clusters)).df).toBeLessThan(4);
    expect(clusterVariance(residualsOf(clusters), 'plain').df).toBe(30);
  });
});

describe('intraclassCorrelation', () => {
  it('is nearly 1 where clusters are of one piece, and 0 where they are not alike or hold one item', () => {
    const of = (clusters: readonly (readonly number[])[]): number => intraclassCorrelation(residualsOf(clusters), clusters.flat().length);
    expect(
      of([
        [1, 1],
        [-1, -1],
        [1, 1],
        [-1, -1],
      ]),
    ).toBeCloseTo(7 / 8, 12);
    expect(
      of([
        [1, -1],
        [-1, 1],
      ]),
    ).toBe(0);
    expect(of([[1], [-1], [0]])).toBe(0);
    expect(of([[0, 0], [0]])).toBe(0);
  });
});
