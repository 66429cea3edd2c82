import { expect, it } from 'vitest';
import { armsKlLimit, greedyShareLimit, hasRandomWeights, klLimit } from '../../../../src/train/certificate/limits.ts';

it('grows with what the quantisation does to the base, and never falls to nothing', () => {
  expect(klLimit(0)).toBeGreaterThan(0);
  expect(klLimit(0.01)).toBeCloseTo(0.0305, 6);
  expect(armsKlLimit(0.01)).toBeCloseTo(0.061, 6);
});

it('wants an eighth of the base’s agreement', () => {
  expect(greedyShareLimit(0.8)).toBeCloseTo(0.1, 12);
});

it('knows random weights by what they predict', () => {
  expect(hasRandomWeights(Math.log(49_152), 49_152)).toBe(true);
  expect(hasRandomWeights(12.5, 49_152)).toBe(true);
  expect(hasRandomWeights(4.3, 49_152)).toBe(false);
});
