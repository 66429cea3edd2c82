import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom, deriveSeed, drawSeed } from '../../../src/core/rng.ts';

describe('createRandom', () => {
  // Known answers of mulberry32, computed apart in Python with 32-bit arithmetic.
  it.each([
    [0, [0.26642920868471265, 0.0003297457005828619, 0.2232720274478197]],
    [42, [0.6011037519201636, 0.44829055899754167, 0.8524657934904099]],
    [2 ** 32 - 1, [0.8964226141106337, 0.189478256739676]],
  ])('gives mulberry32’s numbers for seed %i', (seed, expected) => {
    const random = createRandom(seed);
    expect(expected.map(() => random())).toEqual(expected);
  });

  it('stays within [0, 1) for any seed', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31 - 1), (seed) => {
        const random = createRandom(seed);
        for (let draw = 0; draw < 20; draw += 1) {
          const value = random();
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThan(1);
        }
      }),
    );
  });

  it('spreads its numbers evenly over ten bins', () => {
    const random = createRandom(7);
    const bins = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < 10_000; draw += 1) {
      const bin = Math.floor(random() * 10);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    for (const count of bins) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  it('keeps generators apart', () => {
    const [a, b] = [createRandom(1), createRandom(1)];
    a();
    const second = a();
    b();
    expect(b()).toBe(second);
  });
});

describe('deriveSeed', () => {
  it('gives the same seed in every run and on every machine', () => {
    // First 32 bits of sha256 over the JSON text, computed apart.
    expect(deriveSeed(3407, 'mini', 'q1', 0)).toBe(2345890780);
    expect(deriveSeed(3407)).toBe(2236453863);
  });

  it('gives another seed for another root, name, order or cut between names', () => {
    const seeds = [
      deriveSeed(1, 'mini', 'q1', 0),
      deriveSeed(2, 'mini', 'q1', 0),
      deriveSeed(1, 'mini', 'q2', 0),
      deriveSeed(1, 'mini', 'q1', 1),
      deriveSeed(1, 'q1', 'mini', 0),
      deriveSeed(1, 'miniq1', 0),
      deriveSeed(1, 'mini', 'q1', '0'),
    ];
    expect(new Set(seeds).size).toBe(seeds.length);
  });

  it('is always an unsigned 32-bit integer', () => {
    fc.assert(
      fc.property(fc.nat(), fc.string(), (root, name) => {
        const seed = deriveSeed(root, name);
        expect(seed).toBe(seed >>> 0);
      }),
    );
  });
});

describe('drawSeed', () => {
  it('draws unsigned 32-bit integers that differ', () => {
    const seeds = Array.from({ length: 50 }, drawSeed);
    for (const seed of seeds) expect(seed).toBe(seed >>> 0);
    expect(new Set(seeds).size).toBeGreaterThan(45);
  });
});
