import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultSampling } from '../../src/engine/engine.ts';
import type { LlamaEngine } from '../../src/engine/llama/llama-engine.ts';
import { collect, requestOf } from '../contract/engine-contract.ts';
import { openSmallEngine } from '../support/small-engine.ts';

const notes = 'Answer for a medical reader, state what is known and what is not, and name the source of each claim. '.repeat(8);
const promptOf = (question: string): string =>
  `<|im_start|>system\n${notes}<|im_end|>\n<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`;
const questions = ['What is gout?', 'What causes scurvy?', 'Name a sign of measles.'];

/** The likeliest first tokens of the answer with their log-probabilities, and how much of the prompt was cached. */
async function firstTokens(engine: LlamaEngine, question: string): Promise<{ likeliest: Map<number, number>; cachedTokens: number }> {
  const events = await collect(
    engine,
    requestOf(promptOf(question), {
      isThoughtPreopened: false,
      maxTokens: 2,
      topLogprobs: 8,
      sampling: { ...defaultSampling, temperature: 0 },
    }),
  );
  const finish = events.at(-1);
  const first = events.flatMap((event) => (event.type === 'delta' ? (event.logprobs ?? []) : []))[0];
  if (finish?.type !== 'finish' || first === undefined) throw new Error('no answer');
  return { likeliest: new Map(first.top.map(({ id, logprob }) => [id, logprob])), cachedTokens: finish.usage.cachedTokens };
}

describe.runIf(process.platform === 'linux')('requests that begin alike, on the real small model', () => {
  let engine: LlamaEngine;
  let alone: LlamaEngine;
  beforeAll(async () => {
    engine = await openSmallEngine();
    alone = await openSmallEngine({ slots: 1 });
  });
  afterAll(async () => {
    await engine.close();
    await alone.close();
  });

  it('get the beginning from the first of them, and think as they do alone', async () => {
    const together = await Promise.all(questions.map((question) => firstTokens(engine, question)));
    const cached = together.map(({ cachedTokens }) => cachedTokens).toSorted((a, b) => a - b);
    expect(cached[0]).toBeLessThan(20);
    for (const tokens of cached.slice(1)) expect(tokens).toBeGreaterThan(150);
    for (const [place, question] of questions.entries()) {
      const { likeliest } = await firstTokens(alone, question);
      for (const [id, logprob] of together[place]?.likeliest ?? []) {
        // Kernels round otherwise in another batch: 0.07 to 0.30 were seen of a prompt that was read in pieces, without any copy.
        if (likeliest.has(id)) expect(Math.abs(logprob - (likeliest.get(id) ?? 0))).toBeLessThan(0.5);
      }
      expect([...(together[place]?.likeliest.keys() ?? [])].filter((id) => likeliest.has(id)).length).toBeGreaterThanOrEqual(6);
    }
  });
});
