import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LlamaEngine } from '../../src/engine/llama/llama-engine.ts';
import { openSmallEngine } from '../support/small-engine.ts';

const prompt = '<|im_start|>user\nWhat is measles?<|im_end|>\n<|im_start|>assistant\n';
const answer = 'Measles is a viral infection that spreads through the air.';

describe('next-token distributions', () => {
  let engine: LlamaEngine;
  let tokens: number[] = [];
  let first = 0;
  beforeAll(async () => {
    engine = await openSmallEngine({ slots: 1 });
    first = (await engine.tokenize(prompt)).length - 1;
    tokens = await engine.tokenize(prompt + answer);
  });
  afterAll(async () => engine.close());

  it('sum up to the likelihood that scoring gives', async () => {
    const places = tokens.slice(first, -1).map((_token, index) => first + index);
    const readings = await engine.read({ tokens, places, wanted: places.map((place) => [tokens[place + 1] ?? 0]) });
    const [score] = await engine.score(prompt, [answer]);
    const nll = -readings.reduce((sum, { logprobs }) => sum + (logprobs[0] ?? 0), 0);
    expect(score?.tokens).toBe(places.length);
    expect(nll).toBeCloseTo(score?.nll ?? 0, 2);
  });

  it('are the same with few wanted tokens, by a filter, as with many, out of all logits; and sum to one', async () => {
    const { size } = await engine.vocabulary([]);
    const all = Array.from({ length: size }, (_, token) => token);
    const few = all.slice(1000, 1100);
    const [whole] = await engine.read({ tokens, places: [first], wanted: [all] });
    const [part] = await engine.read({ tokens, places: [first], wanted: [few] });
    expect(whole?.logprobs.reduce((sum, logprob) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 4);
    for (const [index, logprob] of (part?.logprobs ?? []).entries()) expect(logprob).toBeCloseTo(whole?.logprobs[1000 + index] ?? 0, 2);
    expect(part?.likeliest).toBe(whole?.likeliest);
    expect(whole?.logprobs[whole.likeliest]).toBe(Math.max(...(whole?.logprobs ?? [])));
  });

  it('refuse a token beyond the vocabulary, which would abort the process', async () => {
    await expect(engine.read({ tokens: [9_999_999], places: [0], wanted: [[1]] })).rejects.toThrow('is no token of this model');
  });
});
