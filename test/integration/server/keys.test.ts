import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Scope } from '../../../src/server/auth/api-key.ts';
import { eventually } from '../support/eventually.ts';
import { chatBody, connectionsOf, postChat, type Service, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

const environmentKey = 'a-key-of-sixteen-characters-or-more';

function makeKey(service: Service, ...scopes: Scope[]) {
  const { key, secret } = service.keys.create({ name: scopes.join('+'), scopes, expiresAt: null });
  return { id: key.id, headers: { authorization: `Bearer ${secret}` } };
}

async function ask(service: Service, method: 'GET' | 'POST' | 'DELETE', url: string, headers: Record<string, string> = {}) {
  return await service.app.inject({
    method,
    url,
    headers,
    ...(method === 'POST' && { payload: url.startsWith('/v1') ? chatBody() : { presets: 'x' } }),
  });
}

describe('a server without a key', () => {
  it('is open on this machine, and asks for a key from the moment on which one is made', async () => {
    const service = await startService();
    expect((await postChat(service)).statusCode).toBe(200);
    const { headers } = makeKey(service, 'chat');
    expect((await postChat(service)).statusCode).toBe(401);
    expect((await postChat(service, {}, headers)).statusCode).toBe(200);
  });

  it('is closed where other machines reach it', async () => {
    const service = await startService({ deps: { isLoopback: false } });
    expect((await postChat(service)).statusCode).toBe(401);
    expect((await postChat(service, {}, makeKey(service, 'chat').headers)).statusCode).toBe(200);
  });

  it('is not what remains when the last key is revoked or has expired', async () => {
    const service = await startService();
    const { id, headers } = makeKey(service, 'admin');
    service.keys.create({ name: 'old', scopes: ['chat'], expiresAt: new Date(Date.now() - 1000) });
    service.keys.revoke(id);
    expect((await postChat(service, {}, headers)).statusCode).toBe(401);
    expect((await postChat(service)).statusCode).toBe(401);
    expect((await ask(service, 'GET', '/metrics')).statusCode).toBe(401);
  });
});

describe('a route', () => {
  it('that nobody gave a rule to keeps the server from starting', async () => {
    const { app } = await startService();
    expect(() => app.get('/api/patients', async () => [])).toThrow('route "/api/patients" has no rule');
  });
});

describe('a stored key', () => {
  const requests = [
    ['GET', '/v1/models', ['chat', 'admin']],
    ['POST', '/v1/chat/completions', ['chat', 'admin']],
    ['GET', '/metrics', ['chat', 'evaluate', 'admin']],
    ['GET', '/api/runs', ['evaluate', 'admin']],
    ['GET', '/api/runs/x/events', ['evaluate', 'admin']],
    ['POST', '/api/runs', ['admin']],
    ['DELETE', '/api/runs/x', ['admin']],
    ['GET', '/no/such/route', ['chat', 'evaluate', 'admin']],
    ['GET', '/ws/chat', ['chat', 'admin']],
  ] as const;

  it.each(requests)('with another scope is refused by name at %s %s, and let in with one of %j', async (method, url, scopes) => {
    const service = await startService();
    for (const scope of ['chat', 'evaluate', 'admin'] as const) {
      const reply = await ask(service, method, url, makeKey(service, scope).headers);
      const mayEnter = (scopes as readonly Scope[]).includes(scope);
      expect(reply.statusCode === 403, `${scope}: ${reply.body}`).toBe(!mayEnter);
      if (mayEnter) expect(reply.statusCode).not.toBe(401);
      else expect(ErrorReply.parse(reply.json()).error).toMatchObject({ type: 'permission_error', code: 'OSLER_ERR_FORBIDDEN' });
    }
  });

  it('says which scope it lacks', async () => {
    const service = await startService();
    const reply = await ask(service, 'POST', '/api/runs', makeKey(service, 'chat', 'evaluate').headers);
    expect(ErrorReply.parse(reply.json()).error.message).toContain('lacks the scope "admin"');
  });

  it('does not hide its demand behind another spelling of the path', async () => {
    const service = await startService();
    const { headers } = makeKey(service, 'chat');
    for (const url of ['/api/runs?x=/health', '/%61pi/runs', '/api/%72uns', '/api/runs/', '/api/runs/..%2f..%2fhealth'])
      expect((await ask(service, 'GET', url, headers)).statusCode, url).toBe(403);
    expect((await ask(service, 'GET', '//api/runs', headers)).statusCode).toBe(404);
  });

  it('stands beside OSLER_API_KEY, which has all scopes', async () => {
    const service = await startService({ apiKey: environmentKey });
    const { headers } = makeKey(service, 'chat');
    expect((await postChat(service, {}, headers)).statusCode).toBe(200);
    for (const url of ['/v1/models', '/api/runs', '/metrics'])
      expect((await ask(service, 'GET', url, { authorization: `Bearer ${environmentKey}` })).statusCode).toBe(200);
  });

  it('counts no longer at the next request once it is revoked', async () => {
    const service = await startService();
    const first = makeKey(service, 'chat');
    const second = makeKey(service, 'chat');
    expect((await postChat(service, {}, first.headers)).statusCode).toBe(200);
    service.keys.revoke(first.id);
    expect((await postChat(service, {}, first.headers)).statusCode).toBe(401);
    expect((await postChat(service, {}, second.headers)).statusCode).toBe(200);
  });

  it('has the day of its last use noted, and its id, never itself, in the log', async () => {
    const service = await startService();
    const { id, headers } = makeKey(service, 'chat');
    await postChat(service, {}, headers);
    expect(service.keys.get(id).lastUsedOn).toBe(new Date().toISOString().slice(0, 10));
    expect(service.log()).toContain(`"key":"${id}"`);
    expect(service.log()).not.toContain('osk_');
  });

  it('opens a websocket by its subprotocol, and nothing with the wrong scope', async () => {
    const service = await startService();
    const origin = await service.listen();
    const open = async (...scopes: Scope[]): Promise<void> => {
      const key = makeKey(service, ...scopes).headers.authorization.slice('Bearer '.length);
      const socket = new WebSocket(`${origin}/ws/chat`, ['osler.chat.v1', `osler.key.${Buffer.from(key).toString('base64url')}`]);
      await once(socket, 'open');
      socket.terminate();
    };
    await open('chat');
    await expect(open('evaluate')).rejects.toThrow('403');
    await expect(once(new WebSocket(`${origin}/ws/chat`), 'open')).rejects.toThrow('401');
    await eventually('every connection is closed', async () => (await connectionsOf(service)) === 0);
  });
});
