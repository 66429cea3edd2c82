import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../../src/engine/engine.ts';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { ResponseObject } from '../../../src/server/openai/response-answer.ts';
import { plainReply, scriptedModel, servedModel, type Service, startService } from '../support/service.ts';
import { ErrorReply, parseSse } from '../support/wire.ts';

async function post(service: Service, body: Record<string, unknown> = {}) {
  return await service.app.inject({
    method: 'POST',
    url: '/v1/responses',
    payload: { model: 'tuned', input: 'Which deficiency?', ...body },
  });
}

async function serve(reply = plainReply) {
  const seen: GenerateRequest[] = [];
  return { service: await startService({ models: [scriptedModel({ reply, seen })] }), seen };
}

interface StreamEvent {
  type: string;
  sequence_number: number;
  delta?: string;
  response?: { status: string; output: { type: string; content: { text: string }[] }[] };
}

async function eventsOf(service: Service, body: Record<string, unknown> = {}): Promise<StreamEvent[]> {
  return parseSse((await post(service, { ...body, stream: true })).body).map((block): StreamEvent => {
    const event = JSON.parse(block.data ?? '');
    expect(block.event).toBe(event.type);
    return event;
  });
}

describe('POST /v1/responses', () => {
  it('gives the thought as a reasoning item and the answer as a message, with usage', async () => {
    const { service } = await serve();
    const response = (await post(service, { metadata: { a: 'b' } })).json();
    ResponseObject.parse(response);
    expect(response).toMatchObject({
      status: 'completed',
      store: false,
      metadata: { a: 'b' },
      output: [
        { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'I weigh the signs.' }] },
        {
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'It is scurvy, from lack of vitamin C.' }],
        },
      ],
      usage: { output_tokens: 13, output_tokens_details: { reasoning_tokens: 5 } },
    });
  });

  it('reads instructions, messages, parts and past answers, thoughts of which stay out', async () => {
    const { service, seen } = await serve();
    await post(service, {
      instructions: 'Be brief.',
      input: [
        { role: 'user', content: [{ type: 'input_text', text: 'First?' }] },
        { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'old thought' }] },
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'First answer.' }] },
        { role: 'user', content: 'Second?' },
      ],
      reasoning: { effort: 'low', summary: 'auto' },
      max_output_tokens: 50,
      seed: 3,
    });
    for (const text of ['Be brief.', 'First?', 'First answer.', 'Second?']) expect(seen[0]?.prompt).toContain(text);
    expect(seen[0]?.prompt).not.toContain('old thought');
    expect(seen[0]).toMatchObject({ maxTokens: 50, thinkingBudgetTokens: 512, seed: 3 });
  });

  it('draws as it is asked to, and says so', async () => {
    const { service, seen } = await serve();
    const drawing = { frequency_penalty: 0.5, presence_penalty: -0.5, top_p: 0.8, temperature: 0.3 };
    const more = { top_k: 40, min_p: 0.1, repetition_penalty: 1.1, stop: 'lack', logit_bias: { 3: 1 } };
    const response = (await post(service, { ...drawing, ...more })).json();
    expect(response).toMatchObject(drawing);
    expect(response.output[1].content[0].text).toBe('It is scurvy, from ');
    expect(seen[0]).toMatchObject({
      sampling: { temperature: 0.3, topP: 0.8, topK: 40, minP: 0.1, frequencyPenalty: 0.5, presencePenalty: -0.5, repeatPenalty: 1.1 },
      logitBias: { 3: 1 },
    });
    expect((await post(service)).json()).toMatchObject({ frequency_penalty: 0, presence_penalty: 0 });
  });

  it('takes as many messages as a chat, and refuses one more by name', async () => {
    const service = await startService({ models: [scriptedModel({ contextTokens: 1e9 })] });
    const input = Array.from({ length: 1024 }, () => ({ role: 'user', content: 'x' }));
    expect((await post(service, { input, instructions: 'Be brief.' })).statusCode).toBe(200);
    const reply = await post(service, { input: [...input, ...input.slice(0, 1)] });
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error).toMatchObject({ param: 'input', message: expect.stringContaining('1024') });
  });

  it('names the effort as this interface does where the template cannot switch the thought off', async () => {
    const engine = new ScriptedEngine({ reply: () => 'x' });
    const service = await startService({ models: [servedModel(engine, { source: '{{ messages[0].content }}<think>\n' })] });
    const reply = await post(service, { reasoning: { effort: 'none' } });
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error).toMatchObject({ param: 'reasoning.effort', code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
  });

  it('holds the answer to a schema', async () => {
    const { service } = await serve();
    const format = { type: 'json_schema', name: 'x', schema: { type: 'object', properties: { a: { enum: ['yes'] } } } };
    const response = (await post(service, { text: { format } })).json();
    expect(JSON.parse(response.output[1].content[0].text)).toEqual({ a: 'yes' });
  });

  it('streams an event for each step, numbered, and ends with the whole', async () => {
    const { service } = await serve();
    const events = await eventsOf(service, { seed: 1 });
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
    const types = events.map((event) => event.type).filter((type, index, all) => type !== all[index - 1]);
    expect(types).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.reasoning_text.delta',
      'response.reasoning_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    const text = events.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join('');
    expect(text).toBe('It is scurvy, from lack of vitamin C.');
    expect(events.at(-1)?.response?.output[1]?.content[0]?.text).toBe(text);
  });

  it('says where it was cut off, in the thought and in the answer', async () => {
    const { service } = await serve();
    const inThought = (await post(service, { max_output_tokens: 3 })).json();
    expect(inThought).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      output: [{ type: 'reasoning', status: 'incomplete' }],
    });
    const inAnswer = (await post(service, { max_output_tokens: 8 })).json();
    expect(inAnswer.output).toMatchObject([
      { type: 'reasoning', status: 'completed' },
      { type: 'message', status: 'incomplete' },
    ]);
    expect((await eventsOf(service, { max_output_tokens: 3 })).at(-1)?.type).toBe('response.incomplete');
  });

  it('tells an error in mid-stream as an event of its own', async () => {
    const service = await startService({ models: [scriptedModel({ failAfterWords: 3 })] });
    const last = (await eventsOf(service)).at(-1);
    expect(last).toMatchObject({ type: 'error', code: 'OSLER_ERR_ENGINE_FAILED', param: null });
  });

  it.each([
    ['previous_response_id', { previous_response_id: 'resp_1' }],
    ['conversation', { conversation: 'conv_1' }],
    ['background', { background: true }],
    ['store', { store: true }],
    ['tools', { tools: [{ type: 'web_search' }] }],
    ['truncation', { truncation: 'auto' }],
    ['reasoning.summary', { reasoning: { summary: 'concise' } }],
    [
      'input.1',
      {
        input: [
          { role: 'user', content: 'x' },
          { type: 'function_call_output', call_id: 'c', output: 'x' },
        ],
      },
    ],
    ['input.0.content.0', { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'data:' }] }] }],
    ['ignore_eos', { ignore_eos: true }],
    ['n', { n: 2 }],
    ['response_format', { response_format: { type: 'json_object' } }],
    ['reasoning_effort', { reasoning_effort: 'low' }],
    ['max_tokens', { max_tokens: 5 }],
    ['text.format.schema', { text: { format: { type: 'json_schema', schema: { type: 'string', pattern: 'x' } } } }],
  ])('refuses what it cannot honour, naming %s', async (name, body) => {
    const { service, seen } = await serve();
    const reply = await post(service, body);
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error).toMatchObject({ param: name, code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
    expect(seen).toEqual([]);
  });
});
