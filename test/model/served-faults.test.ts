import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chatBody, servedModel, startService } from '../integration/support/service.ts';
import type { LlamaEngine } from '../../src/engine/llama/llama-engine.ts';
import { openSmallEngine } from '../support/small-engine.ts';

describe('the service over the real small model, in its own process', () => {
  const ends: (() => Promise<void>)[] = [];
  let engine: LlamaEngine;
  let origin = '';

  beforeAll(async () => {
    engine = await openSmallEngine({ slots: 16, contextTokens: 512, maxWaiting: 300 });
    const service = await startService({ models: [servedModel(engine)], logLevel: 'fatal' }, (end) => void ends.push(end));
    origin = await service.listen();
  });
  afterAll(async () => {
    for (const end of ends) await end();
    await engine.close();
  });

  const ask = async (changes: Record<string, unknown>, signal?: AbortSignal) =>
    await fetch(`${origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(chatBody(changes)),
      ...(signal && { signal }),
    });
  const readiness = async () => (await fetch(`${origin}/readyz`)).status;
  const gauges = async () =>
    (await (await fetch(`${origin}/metrics`)).text()).split('\n').filter((line) => /^osler_(?:num_requests_|batch_occupancy)/.test(line));

  it('gives each of 16 streams an error event when the engine is killed, is not ready meanwhile, and answers the 17th', async () => {
    const streams = await Promise.all(Array.from({ length: 16 }, (_, seed) => ask({ stream: true, seed, max_tokens: 400 })));
    for (const stream of streams) expect(stream.status).toBe(200);
    const texts = streams.map((stream) => stream.text());
    while (engine.load.occupancy < 1) await sleep(10);
    process.kill(engine.pid ?? 0, 'SIGKILL');
    for (const text of await Promise.all(texts)) {
      expect(text).toMatch(/event: error\ndata: .*OSLER_ERR_ENGINE_FAILED.*\n\n$/);
      expect(text).not.toContain('[DONE]');
    }
    expect(await readiness()).toBe(503);
    const refused = await ask({ max_tokens: 4 });
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([503, true]);
    await expect.poll(readiness, { timeout: 30_000 }).toBe(200);
    const reply = await ask({ max_tokens: 4 });
    expect(reply.status).toBe(200);
    expect(await reply.json()).toMatchObject({ usage: { completion_tokens: 4 } });
  });

  it('is free again at once after 200 requests that were abandoned after half a second, and answers within 5 s', async () => {
    const leaving = new AbortController();
    const replies = Array.from({ length: 200 }, async (_, index) => {
      const reply = await ask({ stream: index % 2 === 0, max_tokens: 400 }, leaving.signal);
      return await reply.text();
    });
    const outcomes = Promise.allSettled(replies);
    await expect.poll(() => engine.load.running + engine.load.waiting, { timeout: 20_000 }).toBe(200);
    await sleep(500);
    leaving.abort();
    expect((await outcomes).filter(({ status }) => status === 'rejected').length).toBeGreaterThan(150);
    const startMs = performance.now();
    const reply = await ask({ max_tokens: 4 });
    expect(reply.status).toBe(200);
    await reply.text();
    expect(performance.now() - startMs).toBeLessThan(5000);
    await expect.poll(async () => (await engine.slots()).every(({ state }) => state === 'idle')).toBe(true);
    const lines = await gauges();
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatch(/ 0$/);
  });
});
