import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../src/core/rng.ts';
import { defaultSampling, type Sampling } from '../../../src/engine/engine.ts';
import { type DrawOptions, drawToken } from '../../../src/engine/token-draw.ts';

const candidates = [
  { id: 10, logit: Math.log(0.5) },
  { id: 11, logit: Math.log(0.3) },
  { id: 12, logit: Math.log(0.15) },
  { id: 13, logit: Math.log(0.05) },
];
const plain: Sampling = { ...defaultSampling, temperature: 1, topP: 1 };

function optionsOf(sampling: Partial<Sampling>, changes: Partial<DrawOptions> = {}): DrawOptions {
  return { sampling: { ...plain, ...sampling }, logitBias: {}, recent: [], random: createRandom(1), ...changes };
}

/** How often each token comes in 20,000 draws, as shares. */
function shares(sampling: Partial<Sampling>, changes: Partial<DrawOptions> = {}): Record<number, number> {
  const options = optionsOf(sampling, changes);
  const counts: Record<number, number> = {};
  for (let draw = 0; draw < 20_000; draw += 1) {
    const id = drawToken(candidates, options);
    counts[id] = (counts[id] ?? 0) + 1 / 20_000;
  }
  return counts;
}

describe('drawToken', () => {
  it('draws by the weights at temperature 1', () => {
    const seen = shares({});
    expect(seen[10]).toBeCloseTo(0.5, 1);
    expect(seen[11]).toBeCloseTo(0.3, 1);
    expect(seen[13]).toBeCloseTo(0.05, 1);
  });

  it('takes the most likely at temperature 0, whatever the random number', () => {
    expect(shares({ temperature: 0 })).toEqual({ 10: expect.closeTo(1, 6) });
  });

  it('sharpens with a low temperature: weights to the power of 1/T', () => {
    const seen = shares({ temperature: 0.5 });
    const total = 0.25 + 0.09 + 0.0225 + 0.0025;
    expect(seen[10]).toBeCloseTo(0.25 / total, 1);
    expect(seen[13] ?? 0).toBeLessThan(0.02);
  });

  it.each([
    ['topK', { topK: 2 }, [10, 11]],
    ['topP, the fewest that hold so much', { topP: 0.79 }, [10, 11]],
    ['topP, one more where it falls between', { topP: 0.81 }, [10, 11, 12]],
    ['minP, relative to the most likely', { minP: 0.2 }, [10, 11, 12]],
  ])('keeps only what %s leaves', (_name, sampling, kept) => {
    expect(
      Object.keys(shares(sampling))
        .map(Number)
        .toSorted((a, b) => a - b),
    ).toEqual(kept);
  });

  it('bars a token by a bias of −100 and forces one by 100', () => {
    expect(shares({}, { logitBias: { 10: -100 } })[10]).toBeUndefined();
    expect(shares({}, { logitBias: { 13: 100 } })[13]).toBeCloseTo(1, 6);
  });

  it('makes recent tokens less likely by each penalty', () => {
    for (const penalty of [{ repeatPenalty: 2 }, { frequencyPenalty: 0.5 }, { presencePenalty: 1 }])
      expect(shares(penalty, { recent: [10, 10] })[10]).toBeLessThan(0.35);
  });

  it('never raises a token by a repeat penalty, on either side of a logit of 0', () => {
    const positive = [
      { id: 1, logit: 2 },
      { id: 2, logit: 1.5 },
    ];
    expect(drawToken(positive, optionsOf({ temperature: 0, repeatPenalty: 2 }, { recent: [1] }))).toBe(2);
    const negative = [
      { id: 1, logit: -1 },
      { id: 2, logit: -1.5 },
    ];
    expect(drawToken(negative, optionsOf({ temperature: 0, repeatPenalty: 2 }, { recent: [1] }))).toBe(2);
  });

  it('draws the same for the same seed, in whatever order the candidates come', () => {
    const draw = (list: typeof candidates): number[] => {
      const options = optionsOf({}, { random: createRandom(9) });
      return Array.from({ length: 20 }, () => drawToken(list, options));
    };
    expect(draw(candidates.toReversed())).toEqual(draw(candidates));
  });

  it('refuses to draw from nothing', () => {
    expect(() => drawToken([], optionsOf({}))).toThrow(RangeError);
  });
});
