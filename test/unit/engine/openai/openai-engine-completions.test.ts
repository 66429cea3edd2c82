import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ChatTemplate } from '../../../../src/engine/chat-template.ts';
import { defaultSampling } from '../../../../src/engine/engine.ts';
import { OpenAiEngine, type OpenAiEngineOptions } from '../../../../src/engine/openai/openai-engine.ts';
import type { UpstreamKind } from '../../../../src/engine/openai/upstream-ref.ts';
import { collect, describeEngineContract, requestOf, textOf } from '../../../contract/engine-contract.ts';
import { errorOf } from '../../../support/error-of.ts';
import {
  startUpstream,
  upstreamReply,
  upstreamTemplate,
  type UpstreamServer,
  type UpstreamServerOptions,
} from '../../../support/upstream-server.ts';

/** For what another process or socket does. */
const patiently = { timeout: 10_000 };

const prompt = '<s>user: A question.\n<think>\n';

async function open(
  server: UpstreamServerOptions,
  { as = null, ...options }: Partial<OpenAiEngineOptions> & { as?: UpstreamKind | null } = {},
  onEnd: (end: () => Promise<void>) => void = onTestFinished,
): Promise<{ upstream: UpstreamServer; engine: OpenAiEngine }> {
  const upstream = await startUpstream(server);
  const engine = new OpenAiEngine({
    name: 'tuned',
    ref: { baseUrl: upstream.baseUrl, model: null, kind: as },
    apiKey: null,
    mode: 'completions',
    slots: 4,
    maxWaiting: 8,
    contextTokens: 2048,
    ...options,
    timing: { firstPauseMs: 1, ...options.timing },
  });
  onEnd(async () => {
    await engine.close();
    await upstream.close();
  });
  await engine.ready();
  return { upstream, engine };
}

/** Bodies of the completions that an upstream was asked for. */
function bodiesOf(upstream: UpstreamServer): Readonly<Record<string, unknown>>[] {
  return upstream.requests.filter((seen) => seen.path === '/v1/completions').map((seen) => seen.body);
}

function finishOf(events: Awaited<ReturnType<typeof collect>>) {
  const finish = events.at(-1);
  if (finish?.type !== 'finish') throw new Error('the last event is no finish');
  return finish;
}

describe.each(['llama-server', 'vllm'] as const)('OpenAiEngine over %s', (kind) => {
  let engine: OpenAiEngine;
  const ends: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    ({ engine } = await open({ kind }, {}, (end) => ends.push(end)));
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });
  describeEngineContract(() => engine, prompt, { canScore: kind === 'vllm' });

  it('gives the upstream’s text, split as any engine splits it', async () => {
    const events = await collect(engine, requestOf(prompt, { maxTokens: null }));
    const [thought = '', answer = ''] = upstreamReply.split('</think>');
    expect(textOf(events, 'thought')).toBe(thought.trim());
    expect(textOf(events, 'answer')).toBe(answer.trimStart());
    expect(finishOf(events)).toMatchObject({ reason: 'stop', rawText: upstreamReply });
  });

  it('counts tokens as the upstream does', async () => {
    const { usage } = finishOf(await collect(engine, requestOf(prompt, { maxTokens: null })));
    const words = upstreamReply.match(/^\s+|\S+\s*/g) ?? [];
    const closing = words.findIndex((word) => word.includes('</think>')) + 1;
    // A chunk of vLLM's may hold the end of the thought and the begin of the answer.
    expect(usage).toMatchObject({ promptTokens: 4, completionTokens: words.length });
    expect(usage.reasoningTokens).toBeGreaterThanOrEqual(closing);
    expect(usage.reasoningTokens).toBeLessThanOrEqual(closing + 1);
  });
});

describe('OpenAiEngine over completions', () => {
  it('closes a thought at its budget by a second request that goes on from the first', async () => {
    const { upstream, engine } = await open({ kind: 'llama-server' });
    const events = await collect(engine, requestOf(prompt, { thinkingBudgetTokens: 5, maxTokens: 40 }));
    expect(textOf(events, 'thought')).toBe('I weigh the findings one');
    expect(textOf(events, 'answer')).toMatch(/^It is scurvy/);
    const [first, second, ...more] = bodiesOf(upstream);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ prompt: 'user: A question.\n<think>\n', max_tokens: 40 });
    // 5 tokens of the thought and 2 of the closing text are used up.
    expect(second).toMatchObject({ prompt: 'user: A question.\n<think>\nI weigh the findings one \n</think>\n\n', max_tokens: 33 });
    expect(upstream.requests.find((seen) => seen.path === '/v1/completions')?.isAborted).toBe(true);
    expect(finishOf(events).usage).toMatchObject({ promptTokens: 4, completionTokens: 40, reasoningTokens: 7 });
    expect(finishOf(events).rawText).toMatch(/^I weigh the findings one \n<\/think>\n\nIt is scurvy/);
  });

  it('asks once where the thought ends before its budget', async () => {
    const { upstream, engine } = await open({ kind: 'llama-server' });
    const events = await collect(engine, requestOf(prompt, { thinkingBudgetTokens: 500, maxTokens: null }));
    expect(events.find((event) => event.type === 'thought-closed')?.how).toBe('model');
    expect(bodiesOf(upstream)).toHaveLength(1);
  });

  it('ends with the thought where nothing is left for an answer', async () => {
    const { upstream, engine } = await open({ kind: 'llama-server' });
    const events = await collect(engine, requestOf(prompt, { thinkingBudgetTokens: 5, maxTokens: 7 }));
    expect(finishOf(events)).toMatchObject({ reason: 'length', usage: { completionTokens: 5, reasoningTokens: 5 } });
    expect(events.find((event) => event.type === 'thought-closed')?.how).toBe('never');
    expect(bodiesOf(upstream)).toHaveLength(1);
  });

  it('applies stop strings itself, since the thought may hold them, and cancels the upstream there', async () => {
    const { upstream, engine } = await open({ kind: 'llama-server', tokenMs: 1 });
    const events = await collect(engine, requestOf(prompt, { stop: ['findings', 'vitamin'], maxTokens: null }));
    expect(textOf(events, 'thought')).toContain('findings');
    expect(textOf(events, 'answer')).toBe('It is scurvy, from lack of ');
    expect(finishOf(events).reason).toBe('stop');
    expect(bodiesOf(upstream)[0]).not.toHaveProperty('stop');
    const [seen] = upstream.requests.filter((request) => request.path === '/v1/completions');
    await expect.poll(() => seen?.isAborted, patiently).toBe(true);
    expect(finishOf(events).usage.promptTokens).toBe(4);
  });

  it('passes a cancel on', async () => {
    const { upstream, engine } = await open({ kind: 'llama-server', tokenMs: 5 });
    const controller = new AbortController();
    await expect(async () => {
      for await (const event of engine.generate(requestOf(prompt, { maxTokens: null }), controller.signal))
        if (event.type === 'delta') controller.abort();
    }).rejects.toThrow(/abort/i);
    const [seen] = upstream.requests.filter((request) => request.path === '/v1/completions');
    await expect.poll(() => seen?.isAborted, patiently).toBe(true);
    expect(seen?.sentTokens).toBeLessThan(60);
    expect(engine.load.running).toBe(0);
  });

  it('holds the answer to a grammar, and lets the thought be free', async () => {
    const { upstream, engine } = await open({ kind: 'llama-server' });
    const schema = { type: 'object', properties: { diagnosis: { type: 'string' } } };
    const events = await collect(engine, requestOf(prompt, { grammar: { type: 'json-schema', schema }, maxTokens: null }));
    expect(events.find((event) => event.type === 'thought-closed')?.how).toBe('model');
    expect(textOf(events, 'answer')).toMatch(/^It is scurvy/);
    const [first, second] = bodiesOf(upstream);
    expect(first).not.toHaveProperty('json_schema');
    expect(second).toMatchObject({ json_schema: schema });
    expect(String(second?.['prompt'])).toMatch(/slowly\. \n<\/think>\n\n$/);
  });

  it('says all of the sampling to servers that have defaults of their own', async () => {
    const sampling = { ...defaultSampling, topK: 40, minP: 0.1, repeatPenalty: 1.2 };
    const llama = await open({ kind: 'llama-server' });
    await collect(llama.engine, requestOf(prompt, { maxTokens: 2, logitBias: { 7: -100 } }));
    expect(bodiesOf(llama.upstream)[0]).toMatchObject({
      temperature: 0.6,
      top_p: 0.95,
      top_k: 0,
      min_p: 0,
      repeat_penalty: 1,
      seed: 7,
      logit_bias: { 7: -100 },
    });
    const vllm = await open({ kind: 'vllm' });
    await collect(vllm.engine, requestOf(prompt, { maxTokens: 2 }));
    await collect(vllm.engine, requestOf(prompt, { maxTokens: 2, sampling }));
    expect(bodiesOf(vllm.upstream)[0]).toMatchObject({ top_k: -1, min_p: 0, repetition_penalty: 1, add_special_tokens: false });
    expect(bodiesOf(vllm.upstream)[1]).toMatchObject({ top_k: 40, min_p: 0.1, repetition_penalty: 1.2 });
  });

  it('refuses by name what a server of unknown kind may not know, before anything is sent', async () => {
    const { upstream, engine } = await open({ kind: 'llama-server' }, { as: 'other' });
    const cases = {
      top_k: { sampling: { ...defaultSampling, topK: 40 } },
      min_p: { sampling: { ...defaultSampling, minP: 0.1 } },
      repeat_penalty: { sampling: { ...defaultSampling, repeatPenalty: 1.1 } },
      response_format: { grammar: { type: 'json' } },
      grammar: { grammar: { type: 'gbnf', text: 'root ::= "a"' } },
      logprobs: { topLogprobs: 2 },
    } as const;
    for (const [name, changes] of Object.entries(cases)) {
      const error = await errorOf(() => collect(engine, requestOf(prompt, changes)));
      expect(error).toMatchObject({ code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
      expect(error.message).toContain(`"${name}"`);
    }
    await expect(engine.tokenize('a')).rejects.toMatchObject({ code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
    expect(bodiesOf(upstream)).toEqual([]);
  });

  it('asks vLLM for no more than there is room for', async () => {
    const { upstream, engine } = await open({ kind: 'vllm', contextTokens: 100 });
    expect(finishOf(await collect(engine, requestOf(prompt, { maxTokens: 5000 }))).reason).toBe('length');
    expect(finishOf(await collect(engine, requestOf(prompt, { maxTokens: null }))).reason).toBe('length');
    expect(bodiesOf(upstream)).toMatchObject([{ max_tokens: 96 }, { max_tokens: 96 }]);
  });

  it('asks a server of unknown kind, which may add prompt and limit up, for what its context has room for', async () => {
    const { upstream, engine } = await open({ kind: 'vllm', contextTokens: 100 }, { as: 'other' });
    expect(finishOf(await collect(engine, requestOf(prompt, { maxTokens: null }))).reason).toBe('length');
    // 29 characters are estimated at 12 tokens.
    expect(bodiesOf(upstream)).toMatchObject([{ max_tokens: 88 }]);
    // 70 words are estimated at more than 100 tokens.
    expect(finishOf(await collect(engine, requestOf(`${'word '.repeat(69)}<think>`, { maxTokens: null }))).reason).toBe('length');
    expect(bodiesOf(upstream)[1]).toMatchObject({ max_tokens: 25 });
    await collect(engine, requestOf(prompt, { maxTokens: 9 }));
    expect(bodiesOf(upstream)[2]).toMatchObject({ max_tokens: 9 });
  });

  it('counts the closing tag of a budget of 0 with the prompt that it is sent in', async () => {
    const { upstream, engine } = await open({ kind: 'llama-server' });
    const events = await collect(engine, requestOf(prompt, { thinkingBudgetTokens: 0, maxTokens: 1 }));
    expect(bodiesOf(upstream)).toMatchObject([{ prompt: 'user: A question.\n<think>\n\n</think>\n\n', max_tokens: 1 }]);
    expect(finishOf(events).usage).toMatchObject({ completionTokens: 1, reasoningTokens: 0 });
  });

  it('learns template, context and tokens from a llama-server', async () => {
    const { engine } = await open({ kind: 'llama-server', contextTokens: 777 });
    const description = await engine.describe();
    expect(description).toMatchObject({
      kind: 'llama-server',
      model: 'small',
      templateSource: upstreamTemplate,
      bosToken: '<s>',
      addedBos: '<s>',
    });
    expect(await engine.ready()).toMatchObject({ contextTokens: 777, slots: 4, embeddingSize: null });
    const template = new ChatTemplate({
      owner: 'tuned',
      source: upstreamTemplate,
      bosToken: description.bosToken,
      eosToken: description.eosToken,
    });
    expect(template.render([{ role: 'user', content: 'A question.' }]).text).toBe(prompt);
  });

  it('learns the first token from vLLM, which tells no template', async () => {
    const { engine } = await open({ kind: 'vllm' });
    expect(await engine.describe()).toMatchObject({
      kind: 'vllm',
      templateSource: null,
      bosToken: '<s>',
      addedBos: '',
      contextTokens: 4096,
    });
  });

  it('tokenizes and detokenizes with the upstream’s tokenizer, adding nothing', async () => {
    for (const kind of ['llama-server', 'vllm'] as const) {
      const { engine } = await open({ kind });
      const tokens = await engine.tokenize('some words here');
      expect(tokens).toHaveLength(3);
      expect(await engine.detokenize(tokens)).toBe('some words here');
    }
  });

  it('scores in turn with other requests, and refuses one too many', async () => {
    const { upstream, engine } = await open({ kind: 'vllm', tokenMs: 5 }, { slots: 1, maxWaiting: 1 });
    const controller = new AbortController();
    const running = expect(collect(engine, requestOf(prompt, { maxTokens: 1000 }), controller.signal)).rejects.toThrow(/abort/i);
    await expect.poll(() => engine.load.running, patiently).toBe(1);
    const scoring = engine.score(prompt, ['one two']);
    await expect.poll(() => engine.load.waiting, patiently).toBe(1);
    expect(await errorOf(() => engine.score(prompt, ['one two']))).toMatchObject({ code: 'OSLER_ERR_QUEUE_FULL', statusCode: 503 });
    expect(bodiesOf(upstream).filter((body) => body['echo'] === true)).toEqual([]);
    controller.abort();
    await running;
    expect(await scoring).toHaveLength(1);
    expect(engine.load).toMatchObject({ running: 0, waiting: 0 });
  });

  it('scores by vLLM’s echo, segment by segment', async () => {
    const { engine } = await open({ kind: 'vllm' });
    // Tokens 4 to 8 of the whole: −(n % 3) − 0.5 each.
    expect(await engine.score(prompt, ['one two', ' three four'])).toEqual([
      { nll: 1.5 + 2.5, tokens: 2 },
      { nll: 0.5 + 1.5 + 2.5, tokens: 3 },
    ]);
  });
});
