import { describe, expect, it } from 'vitest';
import { readChunk } from '../../../benchmarks/serve/read-chunk.ts';

const chunk = (delta: unknown, rest: Record<string, unknown> = {}): string =>
  JSON.stringify({ choices: [{ index: 0, delta, finish_reason: null, ...rest }], usage: null });

describe('readChunk', () => {
  it('sees text in the answer and in the thought', () => {
    expect(readChunk(chunk({ content: 'a' })).hasText).toBe(true);
    expect(readChunk(chunk({ reasoning_content: 'a' })).hasText).toBe(true);
  });

  it.each([[{ role: 'assistant' }], [{ role: 'assistant', content: null }], [{ content: '' }], [{}]])('sees no text in %j', (delta) => {
    expect(readChunk(chunk(delta)).hasText).toBe(false);
  });

  it('reads why an answer ended', () => {
    expect(readChunk(chunk({}, { finish_reason: 'length' })).finishReason).toBe('length');
  });

  it('reads the counts of the usage chunk, which has no choices', () => {
    const usage = { prompt_tokens: 40, completion_tokens: 64, total_tokens: 104, prompt_tokens_details: { cached_tokens: 31 } };
    expect(readChunk(JSON.stringify({ choices: [], usage }))).toEqual({
      hasText: false,
      finishReason: null,
      usage: { promptTokens: 40, completionTokens: 64, cachedTokens: 31 },
    });
  });

  it('counts no cached tokens where the server names none', () => {
    const usage = { prompt_tokens: 40, completion_tokens: 64, total_tokens: 104 };
    expect(readChunk(JSON.stringify({ choices: [], usage })).usage?.cachedTokens).toBe(0);
  });

  it('throws on an error that is sent into the stream, with its message', () => {
    expect(() => readChunk(JSON.stringify({ error: { message: 'the engine stopped' } }))).toThrow('the engine stopped');
  });
});
