import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { divergenceOver, meanOf } from '../../../../src/train/certificate/divergence.ts';

const logs = (probabilities: readonly number[]): number[] => probabilities.map((value) => Math.log(value));
const distribution = (size: number) =>
  fc.array(fc.double({ min: 1e-6, max: 1, noNaN: true }), { minLength: size, maxLength: size }).map((weights) => {
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return weights.map((weight) => weight / sum);
  });

describe('divergenceOver', () => {
  it('is the divergence in nats where every token is kept', () => {
    // 0.5 ln(0.5/0.25) + 0.5 ln(0.5/0.75)
    expect(divergenceOver(logs([0.5, 0.5]), logs([0.25, 0.75]))).toBeCloseTo(0.143841, 6);
  });

  it('takes all other tokens as one', () => {
    // 0.6 ln(0.6/0.3) + 0.4 ln(0.4/0.7)
    expect(divergenceOver(logs([0.6]), logs([0.3]))).toBeCloseTo(0.192042, 6);
  });

  it('is 0 of a distribution from itself, and large where the other gives its tokens nothing', () => {
    expect(divergenceOver(logs([0.7, 0.2]), logs([0.7, 0.2]))).toBeCloseTo(0, 12);
    expect(divergenceOver([Math.log(0.9)], [-40])).toBeGreaterThan(30);
  });

  it('is never more than the divergence over all tokens, and never negative', () => {
    fc.assert(
      fc.property(distribution(12), distribution(12), fc.integer({ min: 1, max: 12 }), (p, q, kept) => {
        const full = p.reduce((sum, value, index) => sum + value * Math.log(value / (q[index] ?? 0)), 0);
        const parts = divergenceOver(logs(p.slice(0, kept)), logs(q.slice(0, kept)));
        expect(parts).toBeGreaterThanOrEqual(0);
        expect(parts).toBeLessThanOrEqual(full + 1e-9);
      }),
    );
  });
});

it('meanOf nothing is 0', () => {
  expect(meanOf([])).toBe(0);
  expect(meanOf([1, 2, 6])).toBe(3);
});
