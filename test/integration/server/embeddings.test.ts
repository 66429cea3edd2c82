import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { EmbeddingList } from '../../../src/server/openai/embedding.ts';
import { servedModel, type Service, startService } from '../support/service.ts';
import { StubEngine } from '../support/stub-engine.ts';
import { ErrorReply } from '../support/wire.ts';

async function post(service: Service, body: Record<string, unknown>) {
  return await service.app.inject({ method: 'POST', url: '/v1/embeddings', payload: { model: 'tuned', input: 'gout', ...body } });
}

async function* silent() {
  yield* [];
}

describe('POST /v1/embeddings', () => {
  it('gives a vector of unit length for each text, equal for equal ones', async () => {
    const list = EmbeddingList.parse((await post(await startService(), { input: ['gout', 'scurvy', 'gout'] })).json());
    expect(list.data.map((entry) => entry.index)).toEqual([0, 1, 2]);
    const [first, second, third] = list.data.map((entry) => entry.embedding);
    expect(third).toEqual(first);
    expect(second).not.toEqual(first);
    expect(Math.hypot(...(Array.isArray(first) ? first : []))).toBeCloseTo(1);
    expect(list.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
  });

  it('gives the same numbers as base64 of 32-bit floats', async () => {
    const service = await startService();
    const floats: number[] = (await post(service, {})).json().data[0].embedding;
    const bytes = Buffer.from((await post(service, { encoding_format: 'base64' })).json().data[0].embedding, 'base64');
    expect(bytes).toHaveLength(4 * floats.length);
    for (const [index, value] of floats.entries()) expect(bytes.readFloatLE(4 * index)).toBeCloseTo(value, 6);
  });

  it.each([
    ['dimensions', { dimensions: 3 }],
    ['input', { input: [1, 2] }],
    ['input', { input: Array.from({ length: 257 }, () => 'x') }],
  ])('refuses what it cannot honour, naming %s', async (name, body) => {
    const reply = await post(await startService(), body);
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error).toMatchObject({ param: name, code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
  });

  it('refuses where the model makes none', async () => {
    const service = await startService({ models: [servedModel(new StubEngine(silent))] });
    const reply = await post(service, {});
    expect(reply.statusCode).toBe(400);
    expect(ErrorReply.parse(reply.json()).error.param).toBe('model');
  });

  it('is 503 while the engine loads, rather than waiting for it', async () => {
    const service = await startService({ models: [servedModel(new StubEngine(silent, { name: 'loading' }))] });
    expect((await post(service, {})).statusCode).toBe(503);
  });

  it('stops the work of clients that left, and counts them', async () => {
    const signals: AbortSignal[] = [];
    class EndlessEngine extends StubEngine {
      override async ready() {
        return { ...(await super.ready()), embeddingSize: 4 };
      }

      override async embed(_texts: readonly string[], signal: AbortSignal): Promise<never> {
        signals.push(signal);
        await once(signal, 'abort');
        throw signal.reason;
      }
    }
    const service = await startService({ models: [servedModel(new EndlessEngine(silent))] });
    const origin = await service.listen();
    const body = JSON.stringify({ model: 'tuned', input: 'gout' });
    const headers = { 'content-type': 'application/json' };
    const leaving = AbortSignal.timeout(300);
    const requests = Array.from({ length: 20 }, async () =>
      fetch(`${origin}/v1/embeddings`, { method: 'POST', body, headers, signal: leaving }),
    );
    await expect.poll(() => service.drain.running).toBe(20);
    await Promise.allSettled(requests);
    await expect.poll(() => service.drain.running).toBe(0);
    expect(signals.every((signal) => signal.aborted)).toBe(true);
    const metrics = await (await fetch(`${origin}/metrics`)).text();
    expect(metrics).toContain('osler_requests_total{model="tuned",outcome="cancelled"} 20');
  });
});
