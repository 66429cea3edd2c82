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
  const schemaOf = (schema: unknown) => ({ type: 'json_schema', json_schema: { name: 'x', schema } });
  const tool = (parameters: unknown) => ({ type: 'function', function: { name: 'f', parameters } });

  it.each([
    ['top_logprobs', { top_logprobs: 3 }],
    ['logit_bias.hello', { logit_bias: { hello: 1 } }],
    ['logit_bias.1.5', { logit_bias: { '1.5': 1 } }],
    ['response_format.json_schema.schema', { response_format: { type: 'json_schema' } }],
    ['response_format.json_schema.schema', { response_format: schemaOf({ type: 'string', pattern: '^a' }) }],
    ['response_format', { response_format: { type: 'json_object' }, tools: [tool({})] }],
    ['reasoning_format', { reasoning_format: 'none', tools: [tool({})] }],
    ['tool_choice', { tool_choice: 'required' }],
    ['tool_choice', { tools: [tool({})], tool_choice: { type: 'function', function: { name: 'g' } } }],
    ['tools.1.type', { tools: [tool({}), { type: 'web_search' }] }],
    ['tools.0.function.parameters', { tools: [tool({ properties: { a: { type: 'string', format: 'email' } } })], tool_choice: 'required' }],
    ['functions', { functions: [{ name: 'f' }] }],
    ['function_call', { function_call: { name: 'f' } }],
    ['audio', { audio: { voice: 'alloy' } }],
    ['modalities', { modalities: ['text', 'audio'] }],
    ['prediction', { prediction: { type: 'content', content: 'x' } }],
    ['web_search_options', { web_search_options: { search_context_size: 'low' } }],
    ['store', { store: true }],
    ['service_tier', { service_tier: 'flex' }],
    ['verbosity', { verbosity: 'low' }],
    ['best_of', { best_of: 2 }],
    ['grammar', { grammar: 'root ::= "a"' }],
    ['response_format.schema', { response_format: { type: 'json_object', schema: { type: 'string', pattern: '^a' } } }],
    ['n_predict', { n_predict: 5 }],
    ['ignore_eos', { ignore_eos: true }],
    ['min_tokens', { min_tokens: 5 }],
    ['stop_token_ids', { stop_token_ids: [2] }],
    ['mirostat', { mirostat: 2 }],
    ['include_reasoning', { include_reasoning: false }],
    ['guided_regex', { guided_regex: 'a+' }],
    ['repetition_penalty', { repetition_penalty: 1.2, repeat_penalty: 1.1 }],
    ['chat_template_kwargs.tools', { chat_template_kwargs: { tools: [{ name: 'f' }] } }],
    ['chat_template_kwargs.messages', { chat_template_kwargs: { messages: [{ role: 'user', content: 'y' }] } }],
    ['chat_template_kwargs.add_generation_prompt', { chat_template_kwargs: { add_generation_prompt: false } }],
    ['add_generation_prompt', { add_generation_prompt: false }],
    [
      'messages.0.content.1',
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'What is this?' },
              { type: 'image_url', image_url: { url: 'data:' } },
            ],
          },
        ],
      },
    ],
    [
      'messages.1.content.0',
      {
        messages: [
          { role: 'user', content: 'x' },
          { role: 'user', content: [{ type: 'input_audio' }] },
        ],
      },
    ],
  ])('what it cannot honour, naming %s, streamed or not', async (name, changes) => {
    for (const isStreamed of [false, true]) {
      const { status, error } = await refused({ ...changes, stream: isStreamed });
      expect(status).toBe(400);
      expect(error).toMatchObject({ type: 'invalid_request_error', param: name, code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
      expect(error.message).toContain(`"${name}"`);
    }
  });

  it('none of these where they ask for nothing', async () => {
    const service = await startService();
    const neutral = { n_predict: -1, ignore_eos: false, min_tokens: 0, stop_token_ids: [], mirostat: 0, typical_p: 1, guided_json: null };
    const usual = { include_reasoning: true, add_generation_prompt: true, repetition_penalty: 1.1, repeat_penalty: 1.1, lora: [] };
    const reply = await postChat(service, {
      ...neutral,
      ...usual,
      chat_template_kwargs: { tools: null, add_generation_prompt: true },
    });
    expect(reply.statusCode, reply.body).toBe(200);
  });

  it.each([
    ['n', 9],
    ['n', 0],
    ['top_logprobs', 21],
    ['logprobs', 'yes'],
    ['max_tokens', 2_000_000],
    ['stop', ''],
    ['seed', 2 ** 32],
    ['reasoning_effort', 'extreme'],
    ['reasoning_format', 'plain'],
    ['tool_choice', 'sometimes'],
    ['response_format', { type: 'xml' }],
    ['tools', [{ type: 'function', function: { name: 'not a name' } }]],
  ])('%s of %j, naming the field', async (name, value) => {
    const { status, error } = await refused({ [name]: value });
    expect(status).toBe(400);
    expect(error).toMatchObject({ type: 'invalid_request_error', code: 'OSLER_ERR_REQUEST_INVALID' });
    expect(error.param?.split('.')[0]).toBe(name);
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
    ['parts without a type', { messages: [{ role: 'user', content: [{ text: 'x' }] }] }, 'messages.0.content'],
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
      ['SECRETWORD', 'text/plain', 415],
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
      expect(error).toMatchObject({ type: 'exceed_context_size_error', code: 'OSLER_ERR_REQUEST_TOO_LONG', n_ctx: 20 });
      expect(error.n_prompt_tokens).toBeGreaterThan(300);
      expect(error.message).toContain(`has ${error.n_prompt_tokens} tokens`);
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
