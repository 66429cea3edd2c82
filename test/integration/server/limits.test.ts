import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { GenerateRequest } from '../../../src/engine/engine.ts';
import { eventually } from '../support/eventually.ts';
import { chatBody, connectionsOf, postChat, scriptedModel, type Service, startService } from '../support/service.ts';
import { channelOf, chunksOf, ErrorReply } from '../support/wire.ts';

const shortTimes = { headersTimeoutMs: 300, requestTimeoutMs: 600, checkEveryMs: 50 };

/** A connection that says only what a test writes, and keeps what it reads. */
async function connect(origin: string) {
  const socket = net.connect(Number(new URL(origin).port), '127.0.0.1');
  let text = '';
  let isClosed = false;
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('close', () => (isClosed = true));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return { socket, read: () => text, isClosed: () => isClosed };
}

/** The error in a raw HTTP reply. */
function errorIn(reply: string) {
  return ErrorReply.parse(JSON.parse(reply.slice(reply.indexOf('\r\n\r\n')))).error;
}

async function postRaw(service: Service, payload: string | Buffer, headers: Record<string, string> = {}) {
  return await service.app.inject({
    method: 'POST',
    url: '/v1/chat/completions',
    payload,
    headers: { 'content-type': 'application/json', ...headers },
  });
}

describe('a client that sends slowly', () => {
  it('its headers, a byte at a time, is cut off with 408', async () => {
    const service = await startService({ deps: { limits: shortTimes } });
    const slow = await connect(await service.listen());
    slow.socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n');
    const drip = setInterval(() => slow.socket.write('X-a: b\r\n'), 20);
    await eventually('it is cut off', slow.isClosed);
    clearInterval(drip);
    expect(slow.read()).toMatch(/^HTTP\/1\.1 408 /);
    expect(errorIn(slow.read())).toMatchObject({ type: 'invalid_request_error', code: 'OSLER_ERR_REQUEST_INVALID' });
  });

  it('nothing at all is cut off, too', async () => {
    const service = await startService({ deps: { limits: shortTimes } });
    const silent = await connect(await service.listen());
    await eventually('it is cut off', silent.isClosed);
    expect(silent.read()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('a body that never ends is cut off', async () => {
    const service = await startService({ deps: { limits: shortTimes } });
    const slow = await connect(await service.listen());
    slow.socket.write(
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
    );
    const drip = setInterval(() => slow.socket.write(' '), 20);
    await eventually('it is cut off', slow.isClosed);
    clearInterval(drip);
    expect(slow.read()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('does not make the times for requests those of answers: a longer stream comes to its end', async () => {
    const reply = `${'a thought goes on '.repeat(30)}</think>\n\nThe end.`;
    const service = await startService({ models: [scriptedModel({ reply, wordMs: 15 })], deps: { limits: shortTimes } });
    const origin = await service.listen();
    const startedMs = performance.now();
    const answer = await fetch(`${origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(chatBody({ stream: true })),
    });
    const text = await answer.text();
    expect(performance.now() - startedMs).toBeGreaterThan(2 * shortTimes.requestTimeoutMs);
    expect(text).toContain('[DONE]');
  });
});

describe('many connections', () => {
  it('of which a thousand are idle leave the next request its answer', async () => {
    const service = await startService();
    const origin = await service.listen();
    const idle = await Promise.all(Array.from({ length: 1000 }, async () => await connect(origin)));
    await eventually('all are there', async () => (await connectionsOf(service)) === 1000);
    const startedMs = performance.now();
    const answer = await fetch(`${origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(chatBody()),
    });
    expect(answer.status).toBe(200);
    // Generous: it takes some milliseconds on one core.
    expect(performance.now() - startedMs).toBeLessThan(5000);
    for (const { socket } of idle) socket.destroy();
    await eventually('they are forgotten', async () => (await connectionsOf(service)) <= 1);
  });

  it('beyond the limit are closed at once, and those within it are served', async () => {
    const service = await startService({ deps: { limits: { connections: 2 } } });
    const origin = await service.listen();
    const [first] = [await connect(origin), await connect(origin)];
    const third = await connect(origin);
    await eventually('the third is closed', third.isClosed);
    first.socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await eventually('the first is answered', () => first.read().includes('{"status":"ok"}'));
    expect(third.read()).toBe('');
  });
});

describe('headers', () => {
  it('beyond 16 KiB are refused with 431', async () => {
    const service = await startService();
    const client = await connect(await service.listen());
    client.socket.write(`GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20 << 10)}\r\n\r\n`);
    await eventually('it is closed', client.isClosed);
    expect(client.read()).toMatch(/^HTTP\/1\.1 431 /);
    expect(errorIn(client.read()).message).toContain('headers');
  });

  it('that are none are refused with 400', async () => {
    const service = await startService();
    const client = await connect(await service.listen());
    client.socket.write('\u0016\u0003\u0001 hello\r\n\r\n');
    await eventually('it is closed', client.isClosed);
    expect(client.read()).toMatch(/^HTTP\/1\.1 400 /);
    expect(errorIn(client.read()).message).toBe('The request is not HTTP.');
  });

  it('without a host are refused', async () => {
    const service = await startService();
    const client = await connect(await service.listen());
    client.socket.write('GET /v1/models HTTP/1.0\r\n\r\n');
    await eventually('it is closed', client.isClosed);
    expect(client.read()).toMatch(/^HTTP\/1\.1 421 /);
  });
});

describe('a body', () => {
  it('of 10 MB is refused with 413 and the limit, before it is read', async () => {
    const service = await startService();
    const client = await connect(await service.listen());
    client.socket.write(
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n{',
    );
    await eventually('it is refused', () => client.read().endsWith('}'));
    expect(client.read()).toMatch(/^HTTP\/1\.1 413 /);
    expect(errorIn(client.read())).toMatchObject({ type: 'invalid_request_error', code: 'OSLER_ERR_REQUEST_TOO_LARGE' });
    expect(errorIn(client.read()).message).toContain('4194304 bytes');
    client.socket.destroy();
  });

  it('of 10 MB in chunks of unknown number is refused with 413, too, and the client that sends it all gets the reply', async () => {
    const service = await startService();
    const client = await connect(await service.listen());
    client.socket.write(
      'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
    );
    const chunk = `100000\r\n${' '.repeat(1 << 20)}\r\n`;
    for (let sent = 0; sent < 10; sent += 1) {
      client.socket.write(chunk);
      await sleep(5);
    }
    client.socket.write('0\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await eventually('the next request is answered', () => client.read().includes('{"status":"ok"}'));
    expect(client.read()).toMatch(/^HTTP\/1\.1 413 .*HTTP\/1\.1 200 /s);
  });

  it('that just fits is taken', async () => {
    const service = await startService({ models: [scriptedModel({ contextTokens: 1e9 })] });
    const empty = JSON.stringify(chatBody({ messages: [{ role: 'user', content: '' }] })).length;
    const fits = JSON.stringify(chatBody({ messages: [{ role: 'user', content: 'x'.repeat((4 << 20) - empty) }] }));
    expect((await postRaw(service, fits)).statusCode).toBe(200);
    expect((await postRaw(service, `${fits} `)).statusCode).toBe(413);
  });

  it('of more than 1024 messages is refused by name', async () => {
    const service = await startService({ models: [scriptedModel({ contextTokens: 1e9 })] });
    const messages = Array.from({ length: 1024 }, () => ({ role: 'user', content: 'x' }));
    expect((await postChat(service, { messages })).statusCode).toBe(200);
    const reply = await postChat(service, { messages: [...messages, ...messages.slice(0, 1)] });
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error.param).toBe('messages');
  });

  it('of JSON that is not closed is refused with 400', async () => {
    const service = await startService();
    for (const payload of ['{"model": "tuned", "messages": [', '{', '"', '[1, 2', '{"model": tru']) {
      const reply = await postRaw(service, payload);
      expect(reply.statusCode, payload).toBe(400);
      expect(ErrorReply.parse(reply.json()).error.type).toBe('invalid_request_error');
    }
  });

  it.each([
    ['a byte that begins nothing', Buffer.from([0xff])],
    ['half a character', Buffer.from('é').subarray(0, 1)],
    ['a character written too long', Buffer.from([0xc0, 0xaf])],
    ['a surrogate as bytes', Buffer.from([0xed, 0xa0, 0x80])],
    ['Latin-1', Buffer.from('Müller', 'latin1')],
  ])('with %s, which is no UTF-8, is refused, not mended', async (_title, bytes) => {
    const seen: unknown[] = [];
    const service = await startService({ models: [scriptedModel({ reply: 'x', seen: seen as never[] })] });
    const [before = '', after = ''] = JSON.stringify(chatBody({ messages: [{ role: 'user', content: '@' }] })).split('@');
    const reply = await postRaw(service, Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]));
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error.message).toContain('UTF-8');
    expect(seen).toEqual([]);
  });

  it('with half a character as an escape is refused, and with a whole one taken', async () => {
    const service = await startService();
    const body = (content: string): string => `{"model":"tuned","messages":[{"role":"user","content":"${content}"}]}`;
    for (const half of ['\\ud83d', 'x\\uDE00', '\\ude00\\ud83d', '\\ud83d x']) {
      const reply = await postRaw(service, body(half));
      expect(reply.statusCode, half).toBe(400);
      expect(ErrorReply.parse(reply.json()).error.message).toContain('half a character');
    }
    for (const whole of ['\\ud83d\\ude00', '😀', '\\\\ud83d', 'é ü 漢'])
      expect((await postRaw(service, body(whole))).statusCode, whole).toBe(200);
  });

  const question = '"messages":[{"role":"user","content":"x"}]';
  const deepBodies = (deep: string): [url: string, body: string][] => [
    ['/v1/chat/completions', `{"model":"tuned",${question},"extra":${deep}}`],
    ['/v1/chat/completions', `{"model":"tuned","messages":${deep}}`],
    [
      '/v1/chat/completions',
      `{"model":"tuned",${question},"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":${deep}}}}]}`,
    ],
    ['/v1/chat/completions', `{"model":"tuned",${question},"chat_template_kwargs":{"x":${deep}}}`],
    ['/v1/responses', `{"model":"tuned","input":"x","metadata":{"x":${deep}}}`],
    ['/api/runs', `{"set":{"x":${deep}}}`],
  ];

  it.each(deepBodies(`${'{"a":['.repeat(10_000)}1${']}'.repeat(10_000)}`))(
    'of JSON nested twenty thousand deep is refused, wherever it stands: %s',
    async (url, payload) => {
      const service = await startService();
      const reply = await service.app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json' } });
      expect(reply.statusCode).toBe(400);
      expect(ErrorReply.parse(reply.json()).error.message).toContain('nested deeper than 128 levels');
      expect(service.log()).not.toMatch(/"level":[56]0/);
    },
  );

  it('is refused for a past call’s arguments that are nested so deep, by name', async () => {
    const seen: GenerateRequest[] = [];
    const service = await startService({ models: [scriptedModel({ seen })] });
    const ask = async (levels: number) =>
      await postChat(service, {
        messages: [
          { role: 'user', content: 'x' },
          {
            role: 'assistant',
            tool_calls: [
              { id: 'a', type: 'function', function: { name: 'f', arguments: '{"a":'.repeat(levels) + '1' + '}'.repeat(levels) } },
            ],
          },
          { role: 'tool', tool_call_id: 'a', content: 'y' },
        ],
      });
    const reply = await ask(20_000);
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error.param).toBe('messages.1.tool_calls.0.function.arguments');
    expect(seen).toEqual([]);
    expect((await ask(100)).statusCode).toBe(200);
  });

  it('may hold brackets in its texts, as many as it likes', async () => {
    const service = await startService();
    expect((await postChat(service, { messages: [{ role: 'user', content: `\\"${'[{'.repeat(1000)}` }] })).statusCode).toBe(200);
  });

  it('with two hundred thousand mistakes is refused at once, in a few words', async () => {
    const service = await startService();
    const wrong = Object.fromEntries(Array.from({ length: 200_000 }, (_, id) => [id, 'x']));
    const startedMs = performance.now();
    const bias = await postChat(service, { logit_bias: wrong });
    const names = await service.app.inject({ method: 'POST', url: '/api/runs', payload: wrong });
    expect(performance.now() - startedMs).toBeLessThan(2000);
    expect(ErrorReply.parse(bias.json()).error).toMatchObject({
      param: 'logit_bias',
      message: expect.stringContaining('more than 300 tokens'),
    });
    for (const reply of [bias, names]) {
      expect(reply.statusCode).toBe(400);
      expect(reply.body.length).toBeLessThan(2000);
    }
  });

  const long = Array.from({ length: 1_000_000 }, () => true);
  it.each<[param: string, url: string, body: Record<string, unknown>]>([
    ['messages.0.content', '/v1/chat/completions', { messages: [{ role: 'user', content: long }] }],
    ['messages.0.tool_calls', '/v1/chat/completions', { messages: [{ role: 'assistant', tool_calls: long }] }],
    ['prompt', '/v1/completions', { prompt: long.slice(0, 800_000) }],
    ['input', '/v1/responses', { input: long.slice(0, 800_000) }],
    ['input', '/v1/embeddings', { input: long.slice(0, 800_000) }],
    ['tokens.0', '/detokenize', { tokens: long.slice(0, 800_000) }],
  ])('with a long list of wrong things is refused at once, naming %s', async (param, url, body) => {
    const service = await startService();
    const payload = JSON.stringify({ model: 'tuned', ...body }).replaceAll('true', '[]');
    const startedMs = performance.now();
    const reply = await service.app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json' } });
    expect(performance.now() - startedMs).toBeLessThan(1500);
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error.param).toBe(param);
  });

  it('tells the first few of many problems', async () => {
    const service = await startService();
    const reply = await postChat(service, { logit_bias: Object.fromEntries(Array.from({ length: 300 }, (_, id) => [id, 'x'])) });
    const { message } = ErrorReply.parse(reply.json()).error;
    expect(message).toMatch(/^The request has 300 problem\(s\): logit_bias\.0: .* and 292 more$/);
    expect(message).not.toContain('logit_bias.8');
  });

  it('that would poison a prototype is refused', async () => {
    const service = await startService();
    for (const payload of ['{"__proto__": {"model": "tuned"}}', '{"constructor": {"prototype": {"x": 1}}}'])
      expect((await postRaw(service, payload)).statusCode).toBe(400);
    expect({}).not.toHaveProperty('model');
  });

  it('in a compressed form is refused, whatever it would become', async () => {
    const service = await startService();
    const reply = await postRaw(service, Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), { 'content-encoding': 'gzip' });
    expect(reply.statusCode).toBe(400);
  });
});

describe('numbers', () => {
  it.each([
    ['max_tokens', '-1'],
    ['max_tokens', '0'],
    ['max_tokens', '1.5'],
    ['max_tokens', '1e999'],
    ['max_tokens', '9007199254740993'],
    ['thinking_budget_tokens', '-5'],
    ['temperature', '-0.1'],
    ['temperature', '1e300'],
    ['top_p', '-1'],
    ['top_k', '-1'],
    ['top_k', '4294967297'],
    ['repeat_penalty', '0'],
    ['repeat_penalty', '1e-300'],
    ['repetition_penalty', '0'],
    ['seed', '-1'],
    ['seed', '4294967296'],
    ['n', '-1'],
    ['n', '1e999'],
  ])('%s of %s is refused by name', async (name, value) => {
    const service = await startService();
    const reply = await postRaw(service, JSON.stringify(chatBody({ [name]: 12_345 })).replace('12345', value));
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error.param).toBe(name);
  });

  it('max_tokens beyond any context ends with the model’s own end', async () => {
    const service = await startService();
    const reply = await postChat(service, { max_tokens: 1_000_000, stream: true });
    expect(channelOf(chunksOf(reply.body), 'content')).toBe('It is scurvy, from lack of vitamin C.');
  });
});
