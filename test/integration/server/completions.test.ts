import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../../src/engine/engine.ts';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { TextCompletion } from '../../../src/server/openai/completion-answer.ts';
import { servedModel, type Service, startService } from '../support/service.ts';
import { ErrorReply, parseSse } from '../support/wire.ts';

async function serve() {
  const seen: GenerateRequest[] = [];
  const engine = new ScriptedEngine({
    reply: (request) => {
      seen.push(request);
      return ` of ${request.prompt} </think>${request.seed}`;
    },
  });
  return { service: await startService({ models: [servedModel(engine)] }), seen };
}

async function post(service: Service, body: Record<string, unknown>) {
  return await service.app.inject({
    method: 'POST',
    url: '/v1/completions',
    payload: { model: 'tuned', prompt: 'Gout', seed: 1, ...body },
  });
}

async function complete(service: Service, body: Record<string, unknown>) {
  const reply = await post(service, body);
  expect(reply.statusCode, reply.body).toBe(200);
  return TextCompletion.parse(reply.json());
}

describe('POST /v1/completions', () => {
  it('continues the prompt as it is: no template, no thought, tags and white space verbatim', async () => {
    const { service, seen } = await serve();
    const { choices, usage } = await complete(service, {});
    expect(choices).toEqual([{ index: 0, text: ' of Gout </think>1', logprobs: null, finish_reason: 'stop' }]);
    expect(seen[0]).toMatchObject({ prompt: 'Gout', isThinkingEnabled: false, isThoughtPreopened: false, maxTokens: 16 });
    expect(usage).toMatchObject({ prompt_tokens: 1, completion_tokens: 4, total_tokens: 5 });
  });

  it('takes several prompts with several choices each, in order, and counts each prompt once', async () => {
    const { service } = await serve();
    const { choices, usage } = await complete(service, { prompt: ['a', 'b c'], n: 2 });
    expect(choices.map((choice) => [choice.index, choice.text])).toEqual([
      [0, ' of a </think>1'],
      [1, ' of a </think>2'],
      [2, ' of b c </think>1'],
      [3, ' of b c </think>2'],
    ]);
    expect(usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 4 + 4 + 5 + 5 });
  });

  it('echoes the prompt where asked', async () => {
    const { service } = await serve();
    expect((await complete(service, { echo: true })).choices[0]?.text).toBe('Gout of Gout </think>1');
  });

  it('ends at max_tokens and at stop strings', async () => {
    const { service } = await serve();
    expect((await complete(service, { max_tokens: 2 })).choices[0]).toMatchObject({ text: ' of ', finish_reason: 'length' });
    expect((await complete(service, { stop: '</think>' })).choices[0]).toMatchObject({ text: ' of Gout ', finish_reason: 'stop' });
  });

  it('tells log-probabilities in the form of this interface', async () => {
    const { service } = await serve();
    const [choice] = (await complete(service, { logprobs: 2 })).choices;
    expect(choice?.logprobs?.tokens.join('')).toBe(choice?.text);
    expect(choice?.logprobs?.text_offset).toEqual([0, 1, 4, 9]);
    expect(Object.keys(choice?.logprobs?.top_logprobs[1] ?? {})).toHaveLength(2);
  });

  it('streams the same, with usage where asked', async () => {
    const { service } = await serve();
    for (const echo of [false, true]) {
      const reply = await post(service, { stream: true, n: 2, echo, stream_options: { include_usage: true } });
      const blocks = parseSse(reply.body);
      expect(blocks.at(-1)?.data).toBe('[DONE]');
      const chunks = blocks
        .slice(0, -1)
        .map((block) => TextCompletion.extend({ usage: TextCompletion.shape.usage.nullable() }).parse(JSON.parse(block.data ?? '')));
      const whole = await complete(service, { n: 2, echo });
      for (const { index, text } of whole.choices)
        expect(
          chunks.flatMap((chunk) => chunk.choices.filter((choice) => choice.index === index).map((choice) => choice.text)).join(''),
        ).toBe(text);
      expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
      expect(chunks.filter((chunk) => chunk.choices[0]?.finish_reason === 'stop')).toHaveLength(2);
    }
  });

  it('sends the status of a stream after a second, whatever the engine does', async () => {
    const engine = new ScriptedEngine({ reply: () => 'late', wordMs: 60_000 });
    const service = await startService({ models: [servedModel(engine)] });
    const leaving = new AbortController();
    const startedMs = performance.now();
    const reply = await fetch(`${await service.listen()}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'tuned', prompt: 'Gout', stream: true }),
      signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(10_000)]),
    });
    expect(reply.status).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    leaving.abort();
  });

  it.each([
    ['suffix', { suffix: 'end' }],
    ['best_of', { best_of: 3 }],
    ['echo', { echo: true, logprobs: 1 }],
    ['prompt', { prompt: [1, 2, 3] }],
    ['prompt', { prompt: [[1, 2], [3]] }],
    ['prompt', { prompt: Array.from({ length: 17 }, () => 'x') }],
    ['guided_json', { guided_json: { type: 'object' } }],
    ['guided_regex', { guided_regex: 'a+' }],
    ['json_schema', { json_schema: { type: 'object' } }],
    ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }],
    ['top_logprobs', { top_logprobs: 3 }],
    ['ignore_eos', { ignore_eos: true }],
    ['n_predict', { n_predict: 5 }],
  ])('refuses what it cannot honour, naming %s', async (name, body) => {
    const { service, seen } = await serve();
    const reply = await post(service, body);
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error).toMatchObject({ param: name, code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
    expect(seen).toEqual([]);
  });
});
