import { describe, expect, it } from 'vitest';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { plainReply, postChat, scriptedModel, servedModel, type Service, startService } from '../support/service.ts';
import { StubEngine } from '../support/stub-engine.ts';
import { Completion } from '../support/wire.ts';

async function* silent() {
  yield* [];
}

/** The samples of /metrics: name with labels, to value. */
async function scrape(service: Service): Promise<Map<string, number>> {
  const reply = await service.app.inject('/metrics');
  expect(reply.statusCode).toBe(200);
  expect(reply.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
  const lines = reply.body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

describe('GET /v1/models', () => {
  it('lists every model with what it stands for', async () => {
    const engine = new ScriptedEngine({ reply: () => plainReply });
    const models = [
      servedModel(engine, { name: 'base', ref: 'smollm2-135m-instruct' }),
      servedModel(engine, { name: 'tuned', ref: 'run-1', weightsDigest: 'b'.repeat(64) }),
    ];
    const service = await startService({ models });
    const body: { data: { osler: { fingerprint: string } }[] } = (await service.app.inject('/v1/models')).json();
    expect(body).toMatchObject({
      object: 'list',
      data: [
        { id: 'base', object: 'model', created: 1_700_000_000, owned_by: 'osler', osler: { ref: 'smollm2-135m-instruct', state: 'ready' } },
        { id: 'tuned', osler: { ref: 'run-1', weights_sha256: 'b'.repeat(64) } },
      ],
    });
    expect(body.data[0]?.osler.fingerprint).not.toBe(body.data[1]?.osler.fingerprint);
    const completion = Completion.parse((await postChat(service, { model: 'tuned' })).json());
    expect(completion.system_fingerprint).toBe(body.data[1]?.osler.fingerprint);
  });
});

describe('health', () => {
  const models = () => [
    scriptedModel({ name: 'base' }),
    servedModel(new StubEngine(silent, { name: 'failed', reason: 'out of memory in /srv/x' }), { name: 'tuned' }),
  ];

  it('is ready where every engine is', async () => {
    const reply = await (await startService({ models: [scriptedModel({ name: 'base' })] })).app.inject('/readyz');
    expect(reply.statusCode).toBe(200);
    expect(reply.json()).toEqual({ status: 'ready', models: { base: 'ready' } });
  });

  it('is 503 on /readyz while an engine is not ready, with the state of each model', async () => {
    const reply = await (await startService({ models: models() })).app.inject('/readyz');
    expect(reply.statusCode).toBe(503);
    expect(reply.json()).toEqual({ status: 'not ready', models: { base: 'ready', tuned: 'failed' } });
  });

  it.each(['loading', 'restarting', 'closed'] as const)('is not ready while an engine is %s', async (name) => {
    const service = await startService({ models: [servedModel(new StubEngine(silent, { name }))] });
    expect((await service.app.inject('/readyz')).statusCode).toBe(503);
  });

  it('lives as long as the process answers', async () => {
    const service = await startService({ models: models() });
    expect((await service.app.inject('/livez')).json()).toEqual({ status: 'ok' });
    const health = await service.app.inject('/health');
    expect(health.statusCode).toBe(200);
    expect(health.json()).toEqual({ status: 'ok', models: { base: 'ready', tuned: 'failed' } });
  });
});

describe('GET /metrics', () => {
  it('counts requests by how they ended, and their tokens', async () => {
    const service = await startService({ models: [scriptedModel(), scriptedModel({ name: 'broken', failAfterWords: 2 })] });
    const { usage } = Completion.parse((await postChat(service)).json());
    await postChat(service, { stream: true });
    await postChat(service, { max_tokens: 2 });
    await postChat(service, { thinking_budget_tokens: 1 });
    await postChat(service, { model: 'broken' });
    await postChat(service, { temperature: 'hot' });
    await postChat(service, { model: 'nobody' });
    const samples = await scrape(service);
    expect(samples.get('osler_requests_total{model="tuned",outcome="stop"}')).toBe(3);
    expect(samples.get('osler_requests_total{model="tuned",outcome="length"}')).toBe(1);
    expect(samples.get('osler_requests_total{model="broken",outcome="error"}')).toBe(1);
    expect(samples.get('osler_thought_closed_total{model="tuned",how="model"}')).toBe(2);
    expect(samples.get('osler_thought_closed_total{model="tuned",how="budget"}')).toBe(1);
    expect(samples.get('osler_thought_closed_total{model="tuned",how="never"}')).toBe(1);
    expect(samples.get('osler_prompt_tokens_total{model="tuned"}')).toBe(4 * usage.prompt_tokens);
    // 13 twice whole, 2 cut off; at a budget of 1: it, the forced tag, the model's own tag, which is swallowed, 8 of the answer.
    expect(samples.get('osler_generation_tokens_total{model="tuned"}')).toBe(13 + 13 + 2 + 11);
    expect(samples.get('osler_reasoning_tokens_total{model="tuned"}')).toBe(5 + 5 + 2 + 2);
    // No label is made up by a client.
    expect([...samples.keys()].filter((key) => key.includes('nobody'))).toEqual([]);
  });

  it('measures times in seconds, once for each request', async () => {
    const service = await startService({ models: [scriptedModel({ wordMs: 5 })] });
    await postChat(service);
    await postChat(service, { max_tokens: 2 });
    const samples = await scrape(service);
    expect(samples.get('osler_time_to_first_token_seconds_count{model="tuned"}')).toBe(2);
    // The second request never came to its answer.
    expect(samples.get('osler_time_to_first_content_token_seconds_count{model="tuned"}')).toBe(1);
    expect(samples.get('osler_e2e_request_latency_seconds_count{model="tuned"}')).toBe(2);
    const first = samples.get('osler_time_to_first_token_seconds_sum{model="tuned"}') ?? 0;
    const whole = samples.get('osler_e2e_request_latency_seconds_sum{model="tuned"}') ?? 0;
    expect(first).toBeGreaterThan(0.004);
    expect(whole).toBeGreaterThan(first);
    expect(whole).toBeLessThan(5);
  });

  it('shows gauges for every model from the start, at 0', async () => {
    const samples = await scrape(await startService({ models: [scriptedModel({ name: 'base' }), scriptedModel()] }));
    for (const gauge of ['num_requests_running', 'num_requests_waiting', 'batch_occupancy', 'engine_restarts_total'])
      for (const name of ['base', 'tuned']) expect(samples.get(`osler_${gauge}{model="${name}"}`), gauge).toBe(0);
  });
});
