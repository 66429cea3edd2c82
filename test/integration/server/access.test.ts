import { describe, expect, it } from 'vitest';
import { postChat, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

const apiKey = 'a-key-of-sixteen-characters-or-more';

describe('an API key', () => {
  const closed = [
    ['GET', '/v1/models'],
    ['GET', '/metrics'],
    ['GET', '/api/runs'],
    ['POST', '/api/runs'],
    ['DELETE', '/api/runs/x'],
    ['GET', '/api/runs/x/events'],
    ['GET', '/no/such/route'],
    ['GET', '/health/'],
    ['GET', '/HEALTH'],
    ['GET', '//health'],
    ['GET', '/v1/models?/health'],
  ] as const;

  it.each(closed)('is asked for at %s %s', async (method, url) => {
    const service = await startService({ apiKey });
    const reply = await service.app.inject({ method, url, ...(method === 'POST' && { payload: {} }) });
    expect(reply.statusCode).toBe(401);
    expect(ErrorReply.parse(reply.json()).error).toMatchObject({ type: 'authentication_error', code: 'OSLER_ERR_UNAUTHORIZED' });
    expect(reply.headers['www-authenticate']).toMatch(/^Bearer /);
  });

  it.each([
    ['none', undefined],
    ['a wrong one', 'Bearer wrong-key-of-sixteen-characters'],
    ['one character less', `Bearer ${apiKey.slice(0, -1)}`],
    ['one character more', `Bearer ${apiKey}x`],
    ['no scheme', apiKey],
    ['another scheme', `Basic ${apiKey}`],
    ['an empty one', 'Bearer '],
  ])('refuses a chat with %s', async (_title, authorization) => {
    const service = await startService({ apiKey });
    const reply = await postChat(service, {}, authorization === undefined ? {} : { authorization });
    expect(reply.statusCode).toBe(401);
    expect(reply.body).not.toContain('scurvy');
  });

  it('opens everything where it is right', async () => {
    const service = await startService({ apiKey });
    expect((await postChat(service, {}, { authorization: `Bearer ${apiKey}` })).statusCode).toBe(200);
    expect((await postChat(service, {}, { authorization: `bearer ${apiKey}` })).statusCode).toBe(200);
    const models = await service.app.inject({ url: '/v1/models', headers: { authorization: `Bearer ${apiKey}` } });
    expect(models.statusCode).toBe(200);
  });

  it.each(['/health', '/livez', '/readyz', '/health?verbose=1'])('is not asked for at %s', async (url) => {
    const service = await startService({ apiKey });
    expect((await service.app.inject(url)).statusCode).toBe(200);
  });
});

describe('every reply', () => {
  it.each(['/health', '/v1/models', '/no/such/route'])('carries helmet’s headers: %s', async (url) => {
    const { headers } = await (await startService()).app.inject(url);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
    expect(headers['content-security-policy']).toBe("default-src 'none';frame-ancestors 'none';base-uri 'none';form-action 'none'");
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('carries them on a stream and on an error, too', async () => {
    const service = await startService();
    for (const [changes, status] of [
      [{ stream: true }, 200],
      [{ n: 0 }, 400],
      [{ model: 'gpt-4o' }, 404],
    ] as const) {
      const reply = await postChat(service, changes);
      expect(reply.statusCode).toBe(status);
      expect(reply.headers['x-content-type-options']).toBe('nosniff');
    }
  });
});

describe('a URL that is none', () => {
  it.each(['/%zz', '/v1/models/%E0%A4%A', `/api/runs/${'x'.repeat(300)}`])(
    'is refused in OpenAI’s error shape, and names nothing inside: %s',
    async (url) => {
      const reply = await (await startService({ apiKey })).app.inject(url);
      expect([400, 401, 414]).toContain(reply.statusCode);
      expect(ErrorReply.parse(reply.json()).error.message).not.toMatch(/node_modules|\.ts/);
    },
  );
});

describe('an unknown route', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/v1/chat/completions'],
    ['DELETE', '/v1/models'],
    ['POST', '/v1/audio/speech'],
    ['GET', '/../../etc/passwd'],
  ] as const)('is 404 in OpenAI’s error shape: %s %s', async (method, url) => {
    const reply = await (await startService()).app.inject({ method, url: `${url}?token=hidden` });
    expect(reply.statusCode).toBe(404);
    const { error } = ErrorReply.parse(reply.json());
    expect(error).toMatchObject({ type: 'not_found_error', code: 'OSLER_ERR_NOT_FOUND' });
    expect(error.message).toContain(method);
    expect(reply.body).not.toContain('hidden');
  });
});
