import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../../src/engine/engine.ts';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { postChat, scriptedModel, servedModel, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

async function refused(changes: Record<string, unknown>) {
  const seen: GenerateRequest[] = [];
  const service = await startService({ models: [scriptedModel({ seen })] });
  const reply = await postChat(service, changes);
  expect(seen, 'the engine was not asked').toEqual([]);
  return { status: reply.statusCode, error: ErrorReply.parse(reply.json()).error };
}

describe('POST /v1/chat/completions refuses', () => {
  it.each([
    ['n', 2],
    ['logprobs', true],
    ['top_logprobs', 3],
    ['logit_bias', { '50256': -100 }],
    ['response_format', { type: 'json_object' }],
    ['response_format', { type: 'json_schema', json_schema: { name: 'x', schema: {} } }],
    ['tools', [{ type: 'function', function: { name: 'f' } }]],
    ['tool_choice', 'required'],
    ['tool_choice', { type: 'function', function: { name: 'f' } }],
    ['functions', [{ name: 'f' }]],
  ])('the parameter %s of %j by name, streamed or not', async (name, value) => {
    for (const isStreamed of [false, true]) {
      const { status, error } = await refused({ [name]: value, stream: isStreamed });
      expect(status).toBe(400);
      expect(error).toMatchObject({ type: 'invalid_request_error', param: name, code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
      expect(error.message).toContain(`"${name}"`);
    }
  });

  it('enable_thinking false where the template cannot switch the thought off', async () => {
    const engine = new ScriptedEngine({ reply: () => 'x' });
    const service = await startService({ models: [servedModel(engine, { source: '{{ messages[0].content }}<think>\n' })] });
    for (const [param, value] of [
      ['enable_thinking', false],
      ['reasoning_effort', 'none'],
    ] as const) {
      const reply = await postChat(service, { [param]: value });
      expect(reply.statusCode).toBe(400);
      expect(ErrorReply.parse(reply.json()).error).toMatchObject({ param, code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
    }
  });

  it('wrong types, naming every problem at once', async () => {
    const { status, error } = await refused({ model: 1, temperature: 'hot', max_tokens: -1, top_p: 0, stream: 'yes', seed: 2 ** 33 });
    expect(status).toBe(400);
    expect(error).toMatchObject({ type: 'invalid_request_error', param: 'model', code: 'OSLER_ERR_REQUEST_INVALID' });
    for (const field of ['6 problem(s)', 'model:', 'temperature:', 'max_tokens:', 'top_p:', 'stream:', 'seed:'])
      expect(error.message).toContain(field);
  });

  it.each([
    ['no messages', { messages: [] }, 'messages'],
    ['messages that are no list', { messages: 'hello' }, 'messages'],
    ['an unknown role', { messages: [{ role: 'robot', content: 'x' }] }, 'messages.0.role'],
    ['parts that are no text', { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: 'x' }] }] }, 'messages.0.content'],
    ['no model', { model: undefined }, 'model'],
  ])('%s', async (_title, changes, param) => {
    const { status, error } = await refused(changes);
    expect(status).toBe(400);
    expect(error).toMatchObject({ param, code: 'OSLER_ERR_REQUEST_INVALID' });
  });

  it('a body that is no JSON, no object, or of another type, without echoing it', async () => {
    const service = await startService();
    for (const [payload, type, status] of [
      ['{"model": "tuned", SECRETWORD', 'application/json', 400],
      ['', 'application/json', 400],
      ['[]', 'application/json', 400],
      ['null', 'application/json', 400],
      ['SECRETWORD', 'text/plain', 400],
      ['SECRETWORD=1', 'application/x-www-form-urlencoded', 415],
    ] as const) {
      const reply = await service.app.inject({
        method: 'POST',
        url: '/v1/chat/completions',
        payload,
        headers: { 'content-type': type },
      });
      expect(reply.statusCode, payload).toBe(status);
      expect(ErrorReply.parse(reply.json()).error.type).toBe('invalid_request_error');
      expect(reply.body + service.log()).not.toContain('SECRETWORD');
    }
  });

  it('a body above the limit with 413', async () => {
    const reply = await postChat(await startService(), { messages: [{ role: 'user', content: 'x'.repeat(5 << 20) }] });
    expect(reply.statusCode).toBe(413);
    expect(ErrorReply.parse(reply.json()).error.type).toBe('invalid_request_error');
  });

  it('a model it does not serve with 404, naming those it does, and answers with none of them', async () => {
    const seen: GenerateRequest[] = [];
    const service = await startService({ models: [scriptedModel({ name: 'base', seen }), scriptedModel({ name: 'tuned', seen })] });
    for (const model of ['gpt-4o', 'TUNED', 'tuned ', '__proto__']) {
      const reply = await postChat(service, { model });
      expect(reply.statusCode).toBe(404);
      const { error } = ErrorReply.parse(reply.json());
      expect(error).toMatchObject({ type: 'not_found_error', code: 'OSLER_ERR_MODEL_NOT_SERVED' });
      expect(error.message).toContain(`"${model}"`);
      expect(error.message).toContain('base, tuned');
    }
    expect(seen).toEqual([]);
  });

  it('a prompt longer than the context with 400 and both figures, also where a stream was asked for', async () => {
    const service = await startService({ models: [scriptedModel({ contextTokens: 20 })] });
    for (const isStreamed of [false, true]) {
      const reply = await postChat(service, { stream: isStreamed, messages: [{ role: 'user', content: 'word '.repeat(300) }] });
      expect(reply.statusCode).toBe(400);
      const { error } = ErrorReply.parse(reply.json());
      expect(error).toMatchObject({ type: 'invalid_request_error', code: 'OSLER_ERR_REQUEST_TOO_LONG' });
      expect(error.message).toMatch(/has 3\d\d tokens .* holds 20/);
    }
  });

  it('messages that the template refuses, with its words and no stack', async () => {
    const source = "{{ raise_exception('roles must alternate') }}";
    const service = await startService({ models: [servedModel(new ScriptedEngine({ reply: () => 'x' }), { source })] });
    const reply = await postChat(service);
    expect(reply.statusCode).toBe(422);
    expect(ErrorReply.parse(reply.json()).error.message).toContain('roles must alternate');
    expect(reply.body).not.toMatch(/\bat .*:\d+/);
  });
});
