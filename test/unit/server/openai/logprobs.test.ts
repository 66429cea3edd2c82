import { describe, expect, it } from 'vitest';
import { encodeCompletionLogprobs, encodeLogprobs } from '../../../../src/server/openai/logprobs.ts';

const token = (text: string, logprob = -0.5) => ({ id: 7, text, logprob, top: [{ id: 7, text, logprob }] });

describe('encodeLogprobs', () => {
  it('tells a token’s bytes, and none of a part of a character, for they are not known', () => {
    const [whole, part] = encodeLogprobs([token('µg'), token('\uFFFD')]).content;
    expect(whole).toMatchObject({ token: 'µg', bytes: [0xc2, 0xb5, 0x67] });
    expect(part).toMatchObject({ token: '\uFFFD', bytes: null });
    expect(part?.top_logprobs[0]?.bytes).toBeNull();
  });

  it('has a number for what cannot be', () => {
    expect(encodeLogprobs([token('x', -Infinity)]).content[0]?.logprob).toBe(-9999);
  });
});

describe('encodeCompletionLogprobs', () => {
  it('tells where each token begins in the text', () => {
    expect(encodeCompletionLogprobs([token('\n'), token(' B'), token('.')], 3).text_offset).toEqual([3, 4, 6]);
  });
});
