import OpenAI, { APIError, NotFoundError } from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import type { ServedModel } from '../../../src/server/served-model.ts';
import { eventually } from '../support/eventually.ts';
import { scriptedModel, servedModel, type Service, startService } from '../support/service.ts';

const answer = 'It is scurvy, from lack of vitamin C.';
const messages = [{ role: 'user' as const, content: 'Which deficiency causes scurvy?' }];
const doseTool = {
  type: 'function' as const,
  function: {
    name: 'look_up_dose',
    parameters: { type: 'object', properties: { drug: { type: 'string' } }, required: ['drug'], additionalProperties: false },
  },
};
const Opinion = z.object({
  diagnosis: z.string(),
  certainty: z.enum(['low', 'high']),
  differentials: z.array(z.string()),
  note: z.string().nullable(),
});

let service: Service;
let client: OpenAI;
let slow: ServedModel;
const ends: (() => Promise<void>)[] = [];

beforeAll(async () => {
  const dosing = new ScriptedEngine({
    // Asked for the first time it calls; with a result it answers.
    reply: (request) =>
      request.prompt.includes('0.5 mg')
        ? 'There it is.</think>\n\nTake 0.5 mg.'
        : 'I need the dose.</think>\n\n<tool_call>\n{"name": "look_up_dose", "arguments": {"drug": "colchicine"}}\n</tool_call>',
    replyInForm: (grammar) =>
      JSON.stringify(grammar).includes('look_up_dose')
        ? '{"name": "look_up_dose", "arguments": {"drug": "colchicine"}}'
        : '{"diagnosis": "scurvy", "certainty": "high", "differentials": ["leukaemia"], "note": null}',
  });
  slow = scriptedModel({ name: 'slow', reply: `${'I think on and on. '.repeat(2000)}</think>\n\nDone.`, wordMs: 10, slots: 512 });
  service = await startService({ models: [scriptedModel(), servedModel(dosing, { name: 'dosing' }), slow] }, (end) => void ends.push(end));
  client = new OpenAI({ baseURL: `${await service.listen()}/v1`, apiKey: 'none', maxRetries: 0 });
});

afterAll(async () => {
  for (const end of ends) await end();
});

/** A field that OpenAI's types do not know. */
function extra(value: object, name: string): unknown {
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

describe('OpenAI’s own client', () => {
  it('reads a whole answer, its thought and its usage', async () => {
    const completion = await client.chat.completions.create({ model: 'tuned', messages });
    expect(completion.choices[0]?.message.content).toBe(answer);
    expect(extra(completion.choices[0]?.message ?? {}, 'reasoning_content')).toBe('I weigh the signs.');
    expect(completion.usage?.completion_tokens_details?.reasoning_tokens).toBe(5);
  });

  it('reads a stream, by hand and with its helper', async () => {
    let text = '';
    let tokens = 0;
    const stream = await client.chat.completions.create({
      model: 'tuned',
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    expect(text).toBe(answer);
    expect(tokens).toBe(13);
    const final = await client.chat.completions.stream({ model: 'tuned', messages }).finalChatCompletion();
    expect(final.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: answer } });
  });

  it('reads several choices of one stream', async () => {
    const final = await client.chat.completions.stream({ model: 'tuned', messages, n: 3 }).finalChatCompletion();
    expect(final.choices.map((choice) => [choice.index, choice.message.content])).toEqual([0, 1, 2].map((index) => [index, answer]));
  });

  it.each(['auto', 'required', { type: 'function', function: { name: 'look_up_dose' } }] as const)(
    'calls a tool for tool_choice %j',
    async (choice) => {
      for (const isStreamed of [false, true]) {
        const body = { model: 'dosing', messages, tools: [doseTool], tool_choice: choice };
        const completion = isStreamed
          ? await client.chat.completions.stream(body).finalChatCompletion()
          : await client.chat.completions.create(body);
        const [call] = completion.choices[0]?.message.tool_calls ?? [];
        expect(call).toMatchObject({ type: 'function', function: { name: 'look_up_dose' } });
        expect(call?.type === 'function' && JSON.parse(call.function.arguments)).toEqual({ drug: 'colchicine' });
        expect(completion.choices[0]?.finish_reason).toBe('tool_calls');
      }
    },
  );

  it('runs a tool and hands the result back, in a loop of its own', async () => {
    const asked: string[] = [];
    const runner = client.chat.completions.runTools({
      model: 'dosing',
      messages,
      tools: [
        {
          type: 'function',
          function: {
            ...doseTool.function,
            description: 'Dose of a drug',
            function: (text: string) => {
              asked.push(text);
              return '0.5 mg';
            },
          },
        },
      ],
    });
    expect(await runner.finalContent()).toBe('Take 0.5 mg.');
    expect(asked).toEqual(['{"drug":"colchicine"}']);
  });

  it('parses an answer that is held to a schema', async () => {
    const completion = await client.chat.completions.parse({
      model: 'dosing',
      messages,
      response_format: zodResponseFormat(Opinion, 'opinion'),
    });
    expect(completion.choices[0]?.message.parsed).toEqual({
      diagnosis: 'scurvy',
      certainty: 'high',
      differentials: ['leukaemia'],
      note: null,
    });
  });

  it('reads log-probabilities', async () => {
    const completion = await client.chat.completions.create({ model: 'tuned', messages, logprobs: true, top_logprobs: 2 });
    const tokens = completion.choices[0]?.logprobs?.content ?? [];
    expect(tokens.map((token) => token.token).join('')).toBe(answer);
    for (const token of tokens) expect(token.top_logprobs).toHaveLength(2);
  });

  it('reads errors by their status, with param and code', async () => {
    const unknown = await client.chat.completions.create({ model: 'gpt-4o', messages }).catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(NotFoundError);
    const refused = await client.chat.completions.create({ model: 'tuned', messages, store: true }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(APIError);
    expect(refused).toMatchObject({
      status: 400,
      param: 'store',
      code: 'OSLER_ERR_REQUEST_UNSUPPORTED',
      requestID: expect.stringMatching(/^req-/),
    });
  });

  it('uses completions, embeddings and models', async () => {
    expect((await client.completions.create({ model: 'tuned', prompt: 'Gout is' })).choices[0]?.text).toContain(answer);
    // Asks for base64 by itself and decodes it.
    expect((await client.embeddings.create({ model: 'tuned', input: ['a', 'b'] })).data[1]?.embedding).toHaveLength(8);
    expect((await client.models.list()).data.map((model) => model.id)).toEqual(['tuned', 'dosing', 'slow']);
    expect((await client.models.retrieve('tuned')).id).toBe('tuned');
  });

  it('uses responses, whole and streamed', async () => {
    const whole = await client.responses.create({ model: 'tuned', input: 'Which deficiency causes scurvy?' });
    expect(whole.output_text).toBe(answer);
    expect(whole.usage?.output_tokens_details.reasoning_tokens).toBe(5);
    const streamed = await client.responses.stream({ model: 'tuned', input: 'Which deficiency causes scurvy?' }).finalResponse();
    expect(streamed.output_text).toBe(answer);
    expect(streamed.status).toBe('completed');
  });
});

describe('a client that gives up', () => {
  it('stops the work, in a stream and before an answer', async () => {
    const stream = await client.chat.completions.create({ model: 'slow', messages, stream: true });
    for await (const chunk of stream) if (extra(chunk.choices[0]?.delta ?? {}, 'reasoning_content') !== undefined) break;
    await eventually('the engine is idle', () => slow.engine.load.running === 0);

    const leaving = new AbortController();
    const reply = client.chat.completions.create({ model: 'slow', messages }, { signal: leaving.signal });
    reply.catch(() => undefined);
    await eventually('the engine works', () => slow.engine.load.running === 1);
    leaving.abort();
    await expect(reply).rejects.toThrow(/abort/i);
    await eventually('the engine is idle', () => slow.engine.load.running === 0);
  });

  it('200 times over leaves nothing behind, and the next one is answered', async () => {
    const leaving = new AbortController();
    const replies = Array.from({ length: 200 }, (_, index) =>
      client.chat.completions
        .create({ model: 'slow', messages, stream: index % 2 === 0 }, { signal: leaving.signal })
        .catch(() => undefined),
    );
    await eventually('most of them are worked on', () => slow.engine.load.running > 100, 20_000);
    leaving.abort();
    await Promise.all(replies);
    await eventually('the engine is idle', () => slow.engine.load.running === 0, 20_000);
    const started = performance.now();
    expect((await client.chat.completions.create({ model: 'tuned', messages })).choices[0]?.message.content).toBe(answer);
    expect(performance.now() - started).toBeLessThan(5000);
    const metrics = await (await fetch(`${client.baseURL.replace('/v1', '')}/metrics`)).text();
    const gauges = metrics.split('\n').filter((line) => /^osler_(?:num_requests_|batch_occupancy)/.test(line));
    expect(gauges.length).toBeGreaterThanOrEqual(6);
    for (const line of gauges) expect(line).toMatch(/ 0$/);
  });
});
