import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../src/engine/engine.ts';
import { OpenAiEngine } from '../../src/engine/openai/openai-engine.ts';
import { ScriptedEngine } from '../../src/engine/scripted/scripted-engine.ts';
import { collect, describeEngineContract, requestOf, textOf } from '../contract/engine-contract.ts';
import { readProjectTemplate } from '../support/project-template.ts';
import { servedModel, startService } from './support/service.ts';

const thought = 'I weigh the findings one by one. '.repeat(4);
const answer = `The answer is B, because the others do not fit. ${'More. '.repeat(40)}`;
const prompt = 'A question.\n<think>\n';
const key = 'a key of this test';

/** Goes on from any prompt as a model does: with the rest of its thought, or with its answer. */
function continueText({ prompt: text }: GenerateRequest): string {
  const begun = text.slice(text.lastIndexOf('<think>')).replace(/^<think>\n?/, '');
  if (begun.includes('</think>')) return answer;
  const whole = `${thought}\n</think>\n\n${answer}`;
  return whole.startsWith(begun) ? whole.slice(begun.length) : whole;
}

describe('OpenAiEngine over our own server', () => {
  let engine: OpenAiEngine;
  const seen: GenerateRequest[] = [];
  const ends: (() => Promise<void>)[] = [];
  const scripted = new ScriptedEngine({
    reply: (request) => {
      seen.push(request);
      return continueText(request);
    },
  });
  beforeAll(async () => {
    const service = await startService({ models: [servedModel(scripted, { name: 'small' })], apiKey: key }, (end) => ends.push(end));
    const baseUrl = `${await service.listen()}/v1`;
    engine = new OpenAiEngine({
      name: 'tuned',
      ref: { baseUrl, model: 'small', kind: null },
      apiKey: key,
      slots: 4,
      maxWaiting: 8,
      contextTokens: 1,
    });
    ends.unshift(() => engine.close());
    await engine.ready();
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  describeEngineContract(() => engine, prompt, { canScore: false });

  it('learns from the server what a local model tells', async () => {
    expect(await engine.ready()).toMatchObject({ contextTokens: 4096, slots: 4, embeddingSize: 8 });
    expect(await engine.describe()).toMatchObject({
      kind: 'osler',
      model: 'small',
      templateSource: readProjectTemplate(),
      bosToken: '<s>',
      eosToken: '</s>',
      weightsDigest: 'a'.repeat(64),
    });
  });

  it('gives what the engine behind it would give', async () => {
    const request = requestOf(prompt, { maxTokens: null, seed: 5, stop: ['fit'] });
    const [here, there] = [await collect(engine, request), await collect(scripted, request)];
    for (const channel of ['thought', 'answer'] as const) expect(textOf(here, channel)).toBe(textOf(there, channel));
    const [mine, own] = [here.at(-1), there.at(-1)];
    if (mine?.type !== 'finish' || own?.type !== 'finish') throw new Error('no finish');
    expect(mine.rawText).toBe(own.rawText);
    expect(mine.usage).toEqual(own.usage);
    expect(seen.at(-2)).toMatchObject({ prompt, seed: 5, sampling: request.sampling });
  });

  it('holds the answer to a form by a second request, once the thought is over', async () => {
    const schema = { type: 'object', properties: { letter: { enum: ['B'] } }, required: ['letter'], additionalProperties: false };
    const events = await collect(engine, requestOf(prompt, { grammar: { type: 'json-schema', schema }, maxTokens: null }));
    expect(textOf(events, 'thought')).toBe(thought.trim());
    expect(JSON.parse(textOf(events, 'answer'))).toEqual({ letter: 'B' });
    expect(seen.at(-2)).not.toHaveProperty('grammar');
    expect(seen.at(-1)).toMatchObject({ prompt: `${prompt}${thought}\n</think>\n\n`, grammar: { type: 'json-schema' } });
  });

  it('ends the work of the engine behind it when its client gives up', async () => {
    const controller = new AbortController();
    const request = requestOf(prompt, { maxTokens: null });
    await expect(async () => {
      for await (const event of engine.generate(request, controller.signal)) if (event.type === 'delta') controller.abort();
    }).rejects.toThrow(/abort/i);
    await expect.poll(() => scripted.load.running, { timeout: 10_000 }).toBe(0);
  });

  it('tokenizes, detokenizes and embeds through it', async () => {
    expect(await engine.tokenize('two words')).toEqual(await scripted.tokenize('two words'));
    expect(await engine.detokenize(await engine.tokenize('two words'))).toBe('two words');
    const [vector] = (await engine.embed(['scurvy'])).vectors;
    const [own] = (await scripted.embed(['scurvy'])).vectors;
    expect(vector?.map((value) => Math.round(value * 1e6))).toEqual(own?.map((value) => Math.round(value * 1e6)));
  });
});
