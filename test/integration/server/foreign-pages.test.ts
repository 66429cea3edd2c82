import { describe, expect, it } from 'vitest';
import { chatBody, postChat, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

const page = 'https://evil.example';

describe('a page of a foreign site, on a server without a key', () => {
  it.each([
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'localhost@evil.example',
    '192.168.1.5:8080',
  ])('gets nothing by a name of its own that points here: %j', async (host) => {
    const service = await startService();
    for (const url of ['/health', '/v1/models', '/api/runs', '/no/such/route']) {
      const reply = await service.app.inject({ url, headers: { host } });
      expect(reply.statusCode).toBe(421);
      expect(ErrorReply.parse(reply.json()).error.code).toBe('OSLER_ERR_HOST_REFUSED');
    }
  });

  it.each(['localhost', 'LOCALHOST:8080', '127.0.0.1:8080', '127.0.0.53', '[::1]:8080'])('is not what asks for %s', async (host) => {
    const service = await startService();
    expect((await service.app.inject({ url: '/v1/models', headers: { host } })).statusCode).toBe(200);
  });

  // What a form or a fetch without permission may send.
  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain; application/json', ''])(
    'starts no training with a body of type %j',
    async (type) => {
      const service = await startService();
      const reply = await service.app.inject({
        method: 'POST',
        url: '/api/runs',
        payload: '{"dryRun": true}',
        headers: { origin: page, ...(type !== '' && { 'content-type': type }) },
      });
      expect(reply.statusCode).toBe(415);
      expect(ErrorReply.parse(reply.json()).error).toMatchObject({ type: 'invalid_request_error', code: 'OSLER_ERR_REQUEST_MEDIA_TYPE' });
      expect(service.trainings.list()).toEqual([]);
    },
  );

  it('starts no training without a body either', async () => {
    const service = await startService();
    const reply = await service.app.inject({ method: 'POST', url: '/api/runs', headers: { origin: page } });
    expect(reply.statusCode).toBe(415);
    expect(service.trainings.list()).toEqual([]);
  });

  it('gets no permission from a preflight', async () => {
    const service = await startService();
    const reply = await service.app.inject({
      method: 'OPTIONS',
      url: '/api/runs',
      headers: { origin: page, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
    });
    expect(reply.statusCode).toBe(404);
    expect(Object.keys(reply.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
  });
});

describe('a server with a key', () => {
  it('answers under any name, as it does behind a proxy', async () => {
    const service = await startService({ apiKey: 'a-key-of-sixteen-characters-or-more' });
    const headers = { host: 'osler.example', authorization: 'Bearer a-key-of-sixteen-characters-or-more' };
    expect((await service.app.inject({ url: '/v1/models', headers })).statusCode).toBe(200);
  });
});

describe('an origin that is allowed', () => {
  const origin = 'https://ward.example';
  const deps = { allowedOrigins: [origin, 'http://localhost:5173'] };

  it('gets its preflight answered without a key, and the answer with its own name', async () => {
    const service = await startService({ apiKey: 'a-key-of-sixteen-characters-or-more', deps });
    const preflight = await service.app.inject({
      method: 'OPTIONS',
      url: '/v1/chat/completions',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,x-stainless-os',
      },
    });
    expect(preflight.statusCode).toBe(204);
    expect(preflight.headers).toMatchObject({ 'access-control-allow-origin': origin });
    expect(preflight.headers['access-control-allow-headers']).toContain('authorization');
    expect(preflight.headers).not.toHaveProperty('access-control-allow-credentials');
    const authorization = 'Bearer a-key-of-sixteen-characters-or-more';
    for (const isStreamed of [false, true]) {
      const reply = await postChat(service, { stream: isStreamed }, { origin, authorization });
      expect(reply.statusCode).toBe(200);
      expect(reply.headers['access-control-allow-origin']).toBe(origin);
    }
    // A page must be able to read why it was refused.
    const refused = await postChat(service, {}, { origin });
    expect(refused.statusCode).toBe(401);
    expect(refused.headers['access-control-allow-origin']).toBe(origin);
  });

  it.each([page, 'https://ward.example.evil.example', 'http://ward.example', 'null'])('is not %s', async (other) => {
    const service = await startService({ deps });
    const reply = await service.app.inject({
      method: 'POST',
      url: '/v1/chat/completions',
      payload: chatBody(),
      headers: { origin: other },
    });
    expect(reply.headers).not.toHaveProperty('access-control-allow-origin');
    expect(reply.headers['vary']).toMatch(/origin/i);
  });
});
