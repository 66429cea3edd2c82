import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../../src/engine/engine.ts';
import { readProjectTemplate } from '../../support/project-template.ts';
import { chatBody, postChat, scriptedModel, type Service, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

async function post(service: Service, url: string, payload: Record<string, unknown>) {
  return await service.app.inject({ method: 'POST', url, payload });
}

describe('POST /tokenize and /detokenize', () => {
  it('cut text into tokens and put it together again', async () => {
    const service = await startService();
    const { tokens } = (await post(service, '/tokenize', { content: 'The gums bleed. ' })).json();
    expect(tokens).toHaveLength(3);
    expect((await post(service, '/detokenize', { tokens })).json()).toEqual({ content: 'The gums bleed. ' });
  });

  it('tell the pieces, and begin a text where asked', async () => {
    const service = await startService();
    const { tokens } = (await post(service, '/tokenize', { content: 'a b', with_pieces: true, add_special: true })).json();
    expect(tokens.map((token: { piece: string }) => token.piece)).toEqual(['<s>a ', 'b']);
  });

  it('refuse tokens that there are not', async () => {
    const service = await startService();
    for (const token of [-1, 1.5, 'a', 2 ** 31]) {
      const reply = await post(service, '/detokenize', { tokens: [token] });
      expect(reply.statusCode).toBe(400);
      expect(ErrorReply.parse(reply.json()).error.param).toBe('tokens.0');
    }
  });

  it('refuse to read special tokens as text, by name', async () => {
    const service = await startService();
    const reply = await post(service, '/tokenize', { content: 'a', parse_special: false });
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error.param).toBe('parse_special');
    expect((await post(service, '/tokenize', { content: 'a', parse_special: true })).statusCode).toBe(200);
  });
});

describe('POST /apply-template', () => {
  it('gives the very prompt that a chat would get', async () => {
    const seen: GenerateRequest[] = [];
    const service = await startService({ models: [scriptedModel({ seen })] });
    for (const changes of [{}, { enable_thinking: false }, { tools: [{ type: 'function', function: { name: 'f' } }] }]) {
      await postChat(service, changes);
      const reply = (await post(service, '/apply-template', chatBody(changes))).json();
      expect(reply.prompt).toBe(seen.at(-1)?.prompt);
      expect(reply.osler.thought).toBe('enable_thinking' in changes ? 'off' : 'open');
    }
  });

  it.each(['add_generation_prompt', 'continue_final_message'])('refuses another end of the prompt, naming %s', async (name) => {
    const service = await startService();
    const value = name === 'continue_final_message';
    const reply = await post(service, '/apply-template', chatBody({ [name]: value }));
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error.param).toBe(name);
    expect((await post(service, '/apply-template', chatBody({ [name]: !value }))).statusCode).toBe(200);
  });
});

describe('GET /props and /slots', () => {
  it('tell of the model and its engine', async () => {
    const service = await startService({ models: [scriptedModel({ contextTokens: 2048, slots: 3 })] });
    expect((await service.app.inject('/props')).json()).toMatchObject({
      model: 'tuned',
      chat_template: readProjectTemplate(),
      n_ctx: 2048,
      total_slots: 3,
      bos_token: '<s>',
      eos_token: '</s>',
      notice: expect.stringContaining('Not a medical device'),
    });
    const slots = (await service.app.inject('/slots')).json();
    expect(slots).toHaveLength(3);
    expect(slots[0]).toEqual({ id: 0, state: 'idle', is_processing: false, cached_tokens: 0, n_ctx: 2048 });
  });
});

describe('with several models', () => {
  it.each([
    ['POST', '/tokenize', { content: 'a' }],
    ['POST', '/detokenize', { tokens: [] }],
    ['POST', '/apply-template', { messages: [{ role: 'user', content: 'a' }] }],
    ['GET', '/props', undefined],
    ['GET', '/slots', undefined],
  ] as const)('%s %s wants one named', async (method, url, payload) => {
    const service = await startService({ models: [scriptedModel({ name: 'base' }), scriptedModel()] });
    const ask = async (model?: string) => {
      if (payload === undefined) return await service.app.inject({ method, url: model === undefined ? url : `${url}?model=${model}` });
      return await service.app.inject({ method, url, payload: { ...payload, ...(model !== undefined && { model }) } });
    };
    const unnamed = await ask();
    expect(unnamed.statusCode).toBe(400);
    expect(ErrorReply.parse(unnamed.json()).error.message).toContain('base, tuned');
    expect((await ask('base')).statusCode).toBe(200);
    expect((await ask('nobody')).statusCode).toBe(404);
  });
});

describe('GET /v1/models/:id', () => {
  it('tells of one model, and 404 of none', async () => {
    const service = await startService();
    expect((await service.app.inject('/v1/models/tuned')).json()).toMatchObject({
      id: 'tuned',
      object: 'model',
      osler: { ref: 'scripted' },
    });
    const reply = await service.app.inject('/v1/models/gpt-4o');
    expect(reply.statusCode).toBe(404);
    expect(ErrorReply.parse(reply.json()).error.code).toBe('OSLER_ERR_MODEL_NOT_SERVED');
  });
});
