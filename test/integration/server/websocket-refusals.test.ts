import { describe, expect, it } from 'vitest';
import type { SocketLimits } from '../../../src/server/websocket/limits.ts';
import { ChatClient } from '../support/chat-client.ts';
import { eventually } from '../support/eventually.ts';
import { scriptedModel, startService } from '../support/service.ts';

const endless = `${'I think on and on. '.repeat(2000)}</think>\n\nDone.`;

async function connect(socketLimits: Partial<SocketLimits> = {}, model = scriptedModel()) {
  const service = await startService({ models: [model], deps: { socketLimits } });
  const origin = await service.listen();
  return { service, origin, model, client: await ChatClient.open(origin) };
}

/** A chat on this very socket still works. */
async function expectAnswer(client: ChatClient, id = 'after'): Promise<void> {
  client.chat(id);
  expect((await client.next('done', id)).finish_reason).toBe('stop');
}

describe('a frame that cannot be used', () => {
  it.each([
    ['no JSON', 'Which deficiency causes scurvy?'],
    ['no object', '"chat"'],
    ['an unknown type', '{"type": "shout"}'],
    ['an unknown field', '{"type": "ping", "loud": true}'],
    ['half a character', '{"type": "cancel", "id": "\\ud83d"}'],
  ])('is refused and touches nothing: %s', async (_title, text) => {
    const { client } = await connect();
    client.send(text);
    expect((await client.next('error')).id).toBeNull();
    expect((await client.next('error')).error).toMatchObject({ type: 'invalid_request_error', code: 'OSLER_ERR_WEBSOCKET_FRAME' });
    await expectAnswer(client);
  });

  it('is refused where it is binary', async () => {
    const { client } = await connect();
    client.socket.send(Buffer.from(JSON.stringify({ type: 'ping' })));
    expect((await client.next('error', null)).error.message).toContain('it is binary');
    await expectAnswer(client);
  });

  it('leaves running chats alone', async () => {
    const { client } = await connect({}, scriptedModel({ reply: endless, wordMs: 1 }));
    client.chat('a');
    await client.next('delta', 'a');
    client.send('{"type": "chat", "id": "a"}');
    client.chat('a');
    await eventually('both are refused', () => client.frames.filter((frame) => frame.type === 'error').length === 2);
    for (const frame of client.frames) if (frame.type === 'error') expect(frame.id).toBeNull();
    const frames = client.of('a').length;
    await eventually('the chat goes on', () => client.of('a').length > frames + 5);
    expect(client.of('a').map((frame) => frame.type)).not.toContain('error');
  });

  it('closes the socket where 32 come in a row', async () => {
    const { client, service } = await connect();
    for (let count = 0; count < 31; count += 1) client.send('x');
    client.send({ type: 'ping' });
    for (let count = 0; count < 40; count += 1) client.send('x');
    expect(await client.closed).toEqual({ code: 4400, reason: 'too many unusable frames' });
    expect(client.frames.filter((frame) => frame.type === 'error')).toHaveLength(63);
    expect((await service.app.inject('/health')).statusCode).toBe(200);
  });

  it.each([
    ['larger than the limit', 1009, (client: ChatClient) => client.send({ type: 'ping', at: 1, more: 'x'.repeat(5000) })],
    ['in many small fragments', 1009, (client: ChatClient) => sendFragments(client, 5000)],
    ['text that is no UTF-8', 1007, (client: ChatClient) => client.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false })],
    ['not masked, as the protocol asks', 1002, (client: ChatClient) => client.socket.send('{"type":"ping"}', { mask: false })],
  ])('closes the socket where it is %s, with %i', async (_title, code, send) => {
    const { client, origin, model, service } = await connect({ maxFrameBytes: 2000 }, scriptedModel({ reply: endless, wordMs: 1 }));
    client.chat('a');
    await client.next('delta', 'a');
    send(client);
    expect((await client.closed).code).toBe(code);
    await eventually('the engine is idle', () => model.engine.load.running === 0);
    const next = await ChatClient.open(origin);
    next.chat('a', { max_tokens: 1 });
    await next.next('done', 'a');
    expect(service.log()).not.toMatch(/"level":50/);
  });
});

describe('a chat frame', () => {
  it.each([
    ['an unknown model', { model: 'other' }, 'OSLER_ERR_MODEL_NOT_SERVED', null],
    ['a wrong field', { temperature: 'hot' }, 'OSLER_ERR_WEBSOCKET_FRAME', 'request.temperature'],
    ['n above 1', { n: 2 }, 'OSLER_ERR_REQUEST_UNSUPPORTED', 'n'],
    ['no stream', { stream: false }, 'OSLER_ERR_REQUEST_UNSUPPORTED', 'stream'],
    ['raw text', { reasoning_format: 'none' }, 'OSLER_ERR_REQUEST_UNSUPPORTED', 'reasoning_format'],
    ['logprobs', { logprobs: true }, 'OSLER_ERR_REQUEST_UNSUPPORTED', 'logprobs'],
    ['the thought twice', { reasoning_alias: true }, 'OSLER_ERR_REQUEST_UNSUPPORTED', 'reasoning_alias'],
  ])('is refused by its id where it asks for %s', async (_title, changes, code, param) => {
    const { client } = await connect();
    client.chat('a', changes);
    expect((await client.next('error', 'a')).error).toMatchObject({ code, param });
    expect(client.of('a')).toHaveLength(1);
    await expectAnswer(client, 'a');
  });

  it('may say that it streams', async () => {
    const { client } = await connect();
    client.chat('a', { stream: true, stream_options: { include_usage: true }, n: 1 });
    expect((await client.next('done', 'a')).finish_reason).toBe('stop');
  });

  it('is refused where as many chats run as may', async () => {
    const { client, model } = await connect({ maxChats: 2 }, scriptedModel({ reply: endless, wordMs: 1 }));
    for (const id of ['a', 'b', 'c']) client.chat(id);
    expect((await client.next('error')).error).toMatchObject({ code: 'OSLER_ERR_WEBSOCKET_CHATS', type: 'rate_limit_error' });
    expect((await client.next('error')).id).toBe('c');
    client.send({ type: 'cancel', id: 'a' });
    await client.next('cancelled', 'a');
    client.chat('c');
    await client.next('started', 'c');
    await eventually('two are worked on', () => model.engine.load.running === 2);
  });

  it('is accepted and then refused by the engine where its prompt is too long', async () => {
    const { client } = await connect({}, scriptedModel({ contextTokens: 3 }));
    client.chat('a');
    expect((await client.next('error', 'a')).error.code).toBe('OSLER_ERR_REQUEST_TOO_LONG');
    expect(client.of('a').map((frame) => frame.type)).toEqual(['started', 'error']);
  });
});

describe('cancel and answer-now', () => {
  it.each(['cancel', 'answer-now'])('are refused where no such chat runs: %s', async (type) => {
    const { client } = await connect();
    client.send({ type, id: 'a' });
    const { id, error } = await client.next('error');
    expect(id).toBeNull();
    expect(error).toMatchObject({ code: 'OSLER_ERR_NOT_FOUND', param: 'id', message: 'There is no running chat "a".' });
    await expectAnswer(client);
  });
});

describe('ping', () => {
  it('is answered with what it brought', async () => {
    const { client } = await connect();
    client.send({ type: 'ping' });
    client.send({ type: 'ping', at: 12.5 });
    await eventually('both are answered', () => client.frames.length === 3);
    expect(client.frames.slice(1)).toEqual([{ type: 'pong' }, { type: 'pong', at: 12.5 }]);
  });
});

function sendFragments(client: ChatClient, count: number): void {
  for (let sent = 0; sent < count; sent += 1) client.socket.send('x', { fin: false });
}
