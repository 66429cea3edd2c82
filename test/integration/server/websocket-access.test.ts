import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { ChatClient, refusedUpgrade } from '../support/chat-client.ts';
import { eventually } from '../support/eventually.ts';
import { startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

const apiKey = 'a-key-of-sixteen-characters-or-more';
const keyProtocol = (key: string): string => `osler.key.${Buffer.from(key).toString('base64url')}`;

describe('a page’s origin', () => {
  it('may be the server’s own, or one of the list', async () => {
    const service = await startService({ deps: { allowedOrigins: ['https://ward.example.org'] } });
    const origin = await service.listen();
    for (const page of [origin, 'https://ward.example.org']) {
      const client = await ChatClient.open(origin, { origin: page });
      client.socket.close();
      await client.closed;
    }
    expect(service.log()).not.toContain('OSLER_ERR');
  });

  it.each(['https://evil.example', 'http://127.0.0.1:1', 'null'])('is refused before the upgrade otherwise: %s', async (page) => {
    const service = await startService();
    const { status, body } = await refusedUpgrade(await service.listen(), { origin: page });
    expect(status).toBe(403);
    expect(ErrorReply.parse(body).error).toMatchObject({ type: 'permission_error', code: 'OSLER_ERR_WEBSOCKET_ORIGIN' });
    await expectNoConnections(service.app.server);
  });
});

describe('the key of a websocket', () => {
  it('comes as a header, or as a subprotocol that is not sent back', async () => {
    const service = await startService({ apiKey });
    const origin = await service.listen();
    const byHeader = await ChatClient.open(origin, { headers: { authorization: `Bearer ${apiKey}` } });
    const byProtocol = await ChatClient.open(origin, { protocols: ['osler.chat.v1', keyProtocol(apiKey)] });
    expect([byHeader.socket.protocol, byProtocol.socket.protocol]).toEqual(['osler.chat.v1', 'osler.chat.v1']);
    byProtocol.chat('a');
    await byProtocol.next('done', 'a');
    expect(service.log()).not.toContain(keyProtocol(apiKey).slice(10));
  });

  it.each([
    ['none', ['osler.chat.v1']],
    ['a wrong one', ['osler.chat.v1', keyProtocol('wrong-key-of-sixteen-characters')]],
  ])('is refused before the upgrade where it is %s', async (_title, protocols) => {
    const service = await startService({ apiKey });
    const { status, body } = await refusedUpgrade(await service.listen(), { protocols });
    expect(status).toBe(401);
    expect(ErrorReply.parse(body).error.code).toBe('OSLER_ERR_UNAUTHORIZED');
    await expectNoConnections(service.app.server);
  });

  it('needs the scope of chat', async () => {
    const service = await startService();
    const { secret } = service.keys.create({ name: 'grader', scopes: ['evaluate'], expiresAt: null });
    const { status, body } = await refusedUpgrade(await service.listen(), { protocols: ['osler.chat.v1', keyProtocol(secret)] });
    expect(status).toBe(403);
    expect(ErrorReply.parse(body).error.code).toBe('OSLER_ERR_FORBIDDEN');
  });

  it('that is revoked starts no chat on a socket that is open', async () => {
    const service = await startService();
    const { key, secret } = service.keys.create({ name: 'ward', scopes: ['chat'], expiresAt: null });
    const client = await ChatClient.open(await service.listen(), { protocols: ['osler.chat.v1', keyProtocol(secret)] });
    client.chat('a');
    await client.next('done', 'a');
    service.keys.revoke(key.id);
    client.chat('b');
    expect((await client.next('error', 'b')).error.code).toBe('OSLER_ERR_UNAUTHORIZED');
  });

  it('is asked of an open socket once there is a first one', async () => {
    const service = await startService();
    const client = await ChatClient.open(await service.listen());
    service.keys.create({ name: 'first', scopes: ['chat'], expiresAt: null });
    client.chat('a');
    expect((await client.next('error', 'a')).error.code).toBe('OSLER_ERR_UNAUTHORIZED');
  });
});

describe('the rate limit', () => {
  it('counts each chat like a request', async () => {
    const service = await startService({ deps: { rateLimitPerMinute: 3 } });
    const client = await ChatClient.open(await service.listen());
    for (const id of ['a', 'b', 'c']) client.chat(id);
    await Promise.all([client.next('done', 'a'), client.next('done', 'b')]);
    expect((await client.next('error', 'c')).error).toMatchObject({ type: 'rate_limit_error', code: 'OSLER_ERR_RATE_LIMITED' });
  });
});

describe('the number of websockets', () => {
  it('has a limit, beyond which the upgrade is refused', async () => {
    const service = await startService({ deps: { socketLimits: { maxSockets: 2 } } });
    const origin = await service.listen();
    const [first] = [await ChatClient.open(origin), await ChatClient.open(origin)];
    const { status, headers, body } = await refusedUpgrade(origin);
    expect(status).toBe(503);
    expect(headers).toHaveProperty('retry-after');
    expect(ErrorReply.parse(body).error.code).toBe('OSLER_ERR_WEBSOCKET_SOCKETS');
    first.leave();
    await eventually('one place is free', async () =>
      (await service.app.inject('/metrics')).body.includes('osler_websocket_connections 1'),
    );
    const next = await ChatClient.open(origin);
    next.chat('a');
    expect((await next.next('done', 'a')).finish_reason).toBe('stop');
  });
});

describe('an upgrade', () => {
  it('is not compressed: a small frame cannot unfold to a large one', async () => {
    const service = await startService();
    const client = await ChatClient.open(await service.listen(), { perMessageDeflate: true });
    expect(client.socket.extensions).toBe('');
  });

  it('is asked for where a request comes without', async () => {
    const service = await startService();
    const reply = await service.app.inject('/ws/chat');
    expect(reply.statusCode).toBe(426);
    expect(reply.headers['upgrade']).toBe('websocket');
    expect(ErrorReply.parse(reply.json()).error.code).toBe('OSLER_ERR_WEBSOCKET_UPGRADE');
  });

  it('is not made elsewhere: the request is answered as HTTP', async () => {
    const service = await startService();
    const origin = await service.listen();
    expect((await refusedUpgrade(origin, {}, '/v1/models')).status).toBe(200);
    expect((await refusedUpgrade(origin, {}, '/ws/other')).status).toBe(404);
  });

  it('to HTTP/2, which Java’s clients offer, is passed over', async () => {
    const service = await startService();
    const { port } = new URL(await service.listen());
    for (const path of ['/health', '/ws/chat']) {
      const socket = net.connect(Number(port), '127.0.0.1');
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
      );
      const [first] = (await once(socket, 'data')) as [Buffer];
      expect(first.toString()).toMatch(path === '/health' ? /^HTTP\/1.1 200/ : /^HTTP\/1.1 426/);
      socket.destroy();
    }
  });

  it.each([
    ['no key', 'Sec-WebSocket-Version: 13\r\n'],
    ['an unknown version', 'Sec-WebSocket-Version: 99\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'],
  ])('that is broken is refused and leaves nothing open: %s', async (_title, lines) => {
    const service = await startService();
    const { port } = new URL(await service.listen());
    const socket = net.connect(Number(port), '127.0.0.1');
    socket.write(`GET /ws/chat HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines}\r\n`);
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1.1 4\d\d/);
    await expectNoConnections(service.app.server);
    expect((await service.app.inject('/health')).statusCode).toBe(200);
  });
});

async function expectNoConnections(server: net.Server): Promise<void> {
  const count = async (): Promise<number> =>
    await new Promise((resolve, reject) => {
      server.getConnections((error, connections) => (error === null ? resolve(connections) : reject(error)));
    });
  await eventually('no connection is left', async () => (await count()) === 0);
  expect(await count()).toBe(0);
}
