import { describe, expect, it } from 'vitest';
import { postChat, type Service, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

const environmentKey = 'a-key-of-sixteen-characters-or-more';

async function models(service: Service, headers: Record<string, string> = {}, remoteAddress = '192.0.2.7') {
  return await service.app.inject({ url: '/v1/models', headers, remoteAddress });
}

function bearer(service: Service): Record<string, string> {
  return { authorization: `Bearer ${service.keys.create({ name: 'x', scopes: ['chat'], expiresAt: null }).secret}` };
}

async function statuses(count: number, request: () => Promise<{ statusCode: number }>): Promise<number[]> {
  const all: number[] = [];
  for (let index = 0; index < count; index += 1) all.push((await request()).statusCode);
  return all;
}

describe('the rate limit', () => {
  it('refuses with 429, Retry-After and OpenAI’s error shape, for one address without keys', async () => {
    const service = await startService({ deps: { rateLimitPerMinute: 3 } });
    expect(await statuses(3, () => models(service))).toEqual([200, 200, 200]);
    const reply = await models(service);
    expect(reply.statusCode).toBe(429);
    const { error } = ErrorReply.parse(reply.json());
    expect(error).toMatchObject({ type: 'rate_limit_error', code: 'OSLER_ERR_RATE_LIMITED' });
    expect(error.message).toContain('More than 3 requests');
    const seconds = Number(reply.headers['retry-after']);
    expect(seconds).toBeGreaterThanOrEqual(1);
    expect(seconds).toBeLessThanOrEqual(60);
    expect((await models(service, {}, '192.0.2.8')).statusCode).toBe(200);
  });

  it('lets as many through of those that come at once as it lets through one by one', async () => {
    const service = await startService({ deps: { rateLimitPerMinute: 3 } });
    const replies = await Promise.all(Array.from({ length: 5 }, () => models(service)));
    expect(replies.map((reply) => reply.statusCode).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 429, 429]);
  });

  it('counts each key by itself, wherever it is used', async () => {
    const service = await startService({ deps: { rateLimitPerMinute: 2 } });
    const [first, second] = [bearer(service), bearer(service)];
    expect((await models(service, first, '192.0.2.1')).statusCode).toBe(200);
    expect((await models(service, first, '192.0.2.2')).statusCode).toBe(200);
    expect((await models(service, first, '192.0.2.3')).statusCode).toBe(429);
    expect((await models(service, second, '192.0.2.3')).statusCode).toBe(200);
  });

  it('takes the neighbours of an IPv6 network for one, as anybody has millions of them', async () => {
    const service = await startService({ deps: { rateLimitPerMinute: 1 } });
    expect((await models(service, {}, '2001:db8::1')).statusCode).toBe(200);
    expect((await models(service, {}, '2001:db8::ffff')).statusCode).toBe(429);
    expect((await models(service, {}, '2001:db8:1::1')).statusCode).toBe(200);
  });

  it('believes X-Forwarded-For of a trusted proxy only', async () => {
    const service = await startService({ deps: { rateLimitPerMinute: 1, trustedProxies: ['10.0.0.0/8'] } });
    const from = async (address: string, forwarded: string) =>
      (await models(service, { 'x-forwarded-for': forwarded }, address)).statusCode;
    expect(await from('10.1.1.1', '192.0.2.1')).toBe(200);
    expect(await from('10.1.1.1', '192.0.2.2')).toBe(200);
    expect(await from('10.1.1.1', '192.0.2.2')).toBe(429);
    expect(await from('192.0.2.9', '192.0.2.3')).toBe(200);
    expect(await from('192.0.2.9', '192.0.2.4')).toBe(429);
  });

  it('leaves health alone, which a supervisor asks every second', async () => {
    const service = await startService({ deps: { rateLimitPerMinute: 1 } });
    for (const url of ['/health', '/livez', '/readyz'])
      expect(await statuses(3, async () => await service.app.inject(url)), url).toEqual([200, 200, 200]);
  });

  it('is off without keys unless it is set, and with 0', async () => {
    const open = await startService();
    expect(new Set(await statuses(30, () => models(open)))).toEqual(new Set([200]));
    const unlimited = await startService({ deps: { rateLimitPerMinute: 0 } });
    const headers = bearer(unlimited);
    expect(new Set(await statuses(30, () => models(unlimited, headers)))).toEqual(new Set([200]));
  });

  it('counts a refused answer in the metrics', async () => {
    const service = await startService({ deps: { rateLimitPerMinute: 1 } });
    expect((await postChat(service)).statusCode).toBe(200);
    expect((await postChat(service)).statusCode).toBe(429);
    const metrics = await service.app.inject({ url: '/metrics', remoteAddress: '192.0.2.9' });
    expect(metrics.body).toContain('osler_requests_total{model="",outcome="refused"} 1');
  });
});

describe('wrong keys', () => {
  const wrong = (index: number) => ({ authorization: `Bearer wrong-key-number-${index}-of-many` });

  it('are counted by address, and after some of them OSLER_API_KEY itself is not tried any more', async () => {
    const service = await startService({ apiKey: environmentKey, deps: { limits: { wrongKeysPerMinute: 3 } } });
    let index = 0;
    expect(await statuses(3, () => models(service, wrong((index += 1))))).toEqual([401, 401, 401]);
    const reply = await models(service, wrong(4));
    expect(reply.statusCode).toBe(429);
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    expect(ErrorReply.parse(reply.json()).error.message).toContain('More than 3 wrong keys');
    const right = { authorization: `Bearer ${environmentKey}` };
    expect((await models(service, right)).statusCode).toBe(429);
    expect((await models(service, right, '192.0.2.8')).statusCode).toBe(200);
  });

  it('do not lock out the holder of a stored key at the same address', async () => {
    const service = await startService({ apiKey: environmentKey, deps: { limits: { wrongKeysPerMinute: 1 } } });
    const headers = bearer(service);
    await statuses(3, () => models(service, wrong(1)));
    expect((await models(service, headers)).statusCode).toBe(200);
  });

  it('are no missing ones: who sends none is told so', async () => {
    const service = await startService({ apiKey: environmentKey, deps: { limits: { wrongKeysPerMinute: 1 } } });
    expect(await statuses(4, () => models(service))).toEqual([401, 401, 401, 401]);
    expect((await models(service, { authorization: `Bearer ${environmentKey}` })).statusCode).toBe(200);
  });
});
