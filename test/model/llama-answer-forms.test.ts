import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultSampling, type TokenLogprob } from '../../src/engine/engine.ts';
import type { LlamaEngine } from '../../src/engine/llama/llama-engine.ts';
import { collect, requestOf, textOf } from '../contract/engine-contract.ts';
import { openSmallEngine } from '../support/small-engine.ts';

const prompt = '<|im_start|>user\nWhich vitamin prevents scurvy? Answer as JSON.<|im_end|>\n<|im_start|>assistant\n<think>\n';
const greedy = { ...defaultSampling, temperature: 0, topP: 1 };
const schema = {
  type: 'object',
  properties: { vitamin: { enum: ['A', 'B', 'C'] }, isCertain: { type: 'boolean' } },
};

describe('LlamaEngine, forms of the answer', () => {
  let engine: LlamaEngine;
  beforeAll(async () => {
    engine = await openSmallEngine();
  });
  afterAll(async () => engine.close());

  it('holds the answer to a JSON schema and leaves the thought free', async () => {
    const events = await collect(
      engine,
      requestOf(prompt, { thinkingBudgetTokens: 8, maxTokens: 120, grammar: { type: 'json-schema', schema } }),
    );
    expect(textOf(events, 'thought')).not.toBe('');
    const answer = JSON.parse(textOf(events, 'answer')) as Record<string, unknown>;
    expect(['A', 'B', 'C']).toContain(answer['vitamin']);
    expect(typeof answer['isCertain']).toBe('boolean');
    expect(events.at(-1)).toMatchObject({ type: 'finish', reason: 'stop' });
  });

  it('holds answers of requests at once to a grammar each', async () => {
    const answers = await Promise.all(
      ['yes', 'no', 'maybe'].map(async (word, seed) => {
        const grammar = { type: 'gbnf', text: `root ::= "${word}"` } as const;
        return textOf(await collect(engine, requestOf(prompt, { seed, thinkingBudgetTokens: 3 + seed, grammar })), 'answer');
      }),
    );
    expect(answers).toEqual(['yes', 'no', 'maybe']);
  });

  it('gives an object of any form for json', async () => {
    const events = await collect(
      engine,
      requestOf(prompt, { thinkingBudgetTokens: 0, maxTokens: 400, grammar: { type: 'json' }, sampling: greedy }),
    );
    expect(textOf(events, 'answer').trimStart()).toMatch(/^\{\s*(?:"|\})/);
  });

  it('refuses a grammar that it cannot read, and serves the next request', async () => {
    await expect(collect(engine, requestOf(prompt, { grammar: { type: 'gbnf', text: 'root ::= (' } }))).rejects.toMatchObject({
      code: 'OSLER_ERR_REQUEST_UNSUPPORTED',
    });
    expect((await collect(engine, requestOf(prompt, { maxTokens: 2 }))).at(-1)?.type).toBe('finish');
  });

  it.each([
    ['no thought', { thinkingBudgetTokens: 0, maxTokens: 12 }],
    ['a thought that is closed at its budget', { thinkingBudgetTokens: 5, maxTokens: 24 }],
    ['a prompt that opens no thought', { isThoughtPreopened: false, maxTokens: 12 }],
  ])('gives log-probabilities of the answer’s tokens, no more and no fewer, that say what was drawn (%s)', async (_name, changes) => {
    const events = await collect(engine, requestOf(prompt, { ...changes, topLogprobs: 5, sampling: greedy }));
    const logprobs = events.flatMap((event): readonly TokenLogprob[] => (event.type === 'delta' ? (event.logprobs ?? []) : []));
    expect(logprobs.length).toBeGreaterThan(5);
    expect(
      logprobs
        .map((entry) => entry.text)
        .join('')
        .trimStart(),
    ).toBe(textOf(events, 'answer').trimStart());
    for (const { logprob, top, id } of logprobs) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top).toHaveLength(5);
      expect(top.reduce((sum, entry) => sum + Math.exp(entry.logprob), 0)).toBeLessThanOrEqual(1.0001);
      // Greedy: the drawn token is the most likely one.
      expect(top[0]?.id).toBe(id);
    }
  });

  it('gives the log-probabilities that scoring gives for the same text', async () => {
    const half = 'Scurvy is caused by a lack of';
    const events = await collect(engine, requestOf(half, { isThoughtPreopened: false, maxTokens: 8, topLogprobs: 0, sampling: greedy }));
    const logprobs = events.flatMap((event): readonly TokenLogprob[] => (event.type === 'delta' ? (event.logprobs ?? []) : []));
    const [score] = await engine.score(half, [logprobs.map((entry) => entry.text).join('')]);
    const sum = logprobs.reduce((total, entry) => total - entry.logprob, 0);
    expect(score?.tokens).toBe(logprobs.length);
    expect(score?.nll).toBeCloseTo(sum, 1);
  });

  it('draws the same text for the same seed, with log-probabilities as without', async () => {
    const draw = async (): Promise<string> =>
      textOf(await collect(engine, requestOf(prompt, { seed: 5, maxTokens: 10, topLogprobs: 1 })), 'thought');
    expect(await draw()).toBe(await draw());
  });

  it('never draws a token whose bias is −100, and always one whose bias is 100', async () => {
    const free = textOf(await collect(engine, requestOf(prompt, { maxTokens: 1, sampling: greedy, isThoughtPreopened: false })), 'answer');
    const [first = -1] = await engine.tokenize(free);
    const barred = textOf(
      await collect(engine, requestOf(prompt, { maxTokens: 1, sampling: greedy, isThoughtPreopened: false, logitBias: { [first]: -100 } })),
      'answer',
    );
    expect(barred).not.toBe(free);
    const [wanted = -1] = await engine.tokenize(' zebra');
    const forced = textOf(
      await collect(engine, requestOf(prompt, { maxTokens: 3, isThoughtPreopened: false, logitBias: { [wanted]: 100 } })),
      'answer',
    );
    const [piece] = [await engine.detokenize([wanted])];
    expect(forced).toContain(piece);
  });

  it('ends before a stop string, wherever its tokens are cut', async () => {
    const request = requestOf(prompt, { maxTokens: 40, sampling: greedy, isThoughtPreopened: false });
    const free = textOf(await collect(engine, request), 'answer');
    // From the middle of one word to the middle of another.
    const start = free.length >> 1;
    const stop = free.slice(start, start + 9);
    const events = await collect(engine, { ...request, stop: [stop] });
    expect(textOf(events, 'answer')).toBe(free.slice(0, free.indexOf(stop)));
    expect(events.at(-1)).toMatchObject({ type: 'finish', reason: 'stop' });
  });

  it('repeats itself less under penalties', async () => {
    const repeats = async (changes: Partial<typeof greedy>): Promise<number> => {
      const request = requestOf('Again and again and again and again and', {
        isThoughtPreopened: false,
        maxTokens: 48,
        sampling: { ...greedy, ...changes },
      });
      const tokens = await engine.tokenize(textOf(await collect(engine, request), 'answer'));
      return tokens.length - new Set(tokens).size;
    };
    const free = await repeats({});
    expect(free).toBeGreaterThan(10);
    for (const changes of [{ repeatPenalty: 1.5 }, { frequencyPenalty: 2 }, { presencePenalty: 2 }])
      expect(await repeats(changes), JSON.stringify(changes)).toBeLessThan(free / 2);
  });

  it('keeps a biased end of text from coming', async () => {
    const [end = -1] = await engine.tokenize('<|im_end|>');
    const finish = (
      await collect(
        engine,
        requestOf(`${prompt}Yes.</think>\nYes.`, { isThoughtPreopened: false, maxTokens: 60, logitBias: { [end]: -100 } }),
      )
    ).at(-1);
    expect(finish).toMatchObject({ reason: 'length', usage: { completionTokens: 60 } });
  });

  it('turns tokens back into the text they came from', async () => {
    const text = 'Naïve T-cells: 5 µg/ml ≥ 🙂';
    expect(await engine.detokenize(await engine.tokenize(text))).toBe(text);
    await expect(engine.detokenize([99_999_999])).rejects.toMatchObject({ code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
  });

  it('embeds texts as vectors of unit length that are nearer for nearer meaning', async () => {
    const info = await engine.ready();
    const { vectors, tokens } = await engine.embed([
      'Scurvy comes from lack of vitamin C.',
      'Lack of vitamin C causes scurvy.',
      'The train leaves at noon.',
    ]);
    expect(tokens).toBeGreaterThan(10);
    for (const vector of vectors) {
      expect(vector).toHaveLength(info.embeddingSize ?? 0);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    }
    const near = (a = 0, b = 0): number => (vectors[a] ?? []).reduce((sum, value, index) => sum + value * (vectors[b]?.[index] ?? 0), 0);
    expect(near(0, 1)).toBeGreaterThan(near(0, 2));
  });

  it('says what runs in which slot', async () => {
    const generation = engine.generate(requestOf(prompt, { maxTokens: 200 }))[Symbol.asyncIterator]();
    await generation.next();
    expect((await engine.slots()).map((slot) => slot.state).toSorted()).toEqual(['generation', 'idle', 'idle', 'idle']);
    expect(engine.load).toMatchObject({ running: 1, occupancy: 0.25 });
    await generation.return?.();
    expect(engine.load).toMatchObject({ running: 0, occupancy: 0 });
  });
});
