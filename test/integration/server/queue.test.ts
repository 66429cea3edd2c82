import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { QueueEngine } from '../support/queue-engine.ts';
import { postChat, scriptedModel, servedModel, type Service, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

async function startQueue(options: { slots: number; maxWaiting: number; isSilent?: boolean }, queueTimeoutMs = 60_000) {
  const engine = new QueueEngine(options);
  const service = await startService({ models: [servedModel(engine)], deps: { queueTimeoutMs } });
  return { engine, service };
}

async function metric(service: Service, line: string): Promise<string | undefined> {
  const text = (await service.app.inject('/metrics')).body;
  return text
    .split('\n')
    .find((candidate) => candidate.startsWith(`${line} `))
    ?.split(' ')[1];
}

describe('a request for more than could ever run and wait', () => {
  it.each([
    ['n', '/v1/chat/completions', { messages: [{ role: 'user', content: 'x' }], n: 8 }, '8 answers'],
    ['n', '/v1/chat/completions', { messages: [{ role: 'user', content: 'x' }], n: 8, stream: true }, '8 answers'],
    ['n', '/v1/completions', { prompt: ['a', 'b'], n: 8 }, '16 answers'],
    ['prompt', '/v1/completions', { prompt: ['a', 'b', 'c'], n: 2 }, '6 answers'],
  ])('is refused for good, naming %s: %s %j', async (param, url, body, asked) => {
    const engine = new QueueEngine({ slots: 3, maxWaiting: 2 });
    const service = await startService({ models: [servedModel(engine, { capacity: 5 })] });
    const reply = await service.app.inject({ method: 'POST', url, payload: { model: 'tuned', ...body } });
    expect(reply.statusCode).toBe(400);
    const { error } = ErrorReply.parse(reply.json());
    expect(error).toMatchObject({ param, code: 'OSLER_ERR_REQUEST_UNSUPPORTED' });
    expect(error.message).toContain(asked);
    expect(error.message).toContain('holds 5');
  });

  it('is taken where it just fits', async () => {
    const service = await startService({ models: [{ ...scriptedModel(), capacity: 4 }] });
    const body = { model: 'tuned', prompt: ['a', 'b'], n: 2 };
    expect((await service.app.inject({ method: 'POST', url: '/v1/completions', payload: body })).statusCode).toBe(200);
  });
});

describe('a request that finds no slot', () => {
  it.each([false, true])('in time is refused with 503 and a time to come again (stream: %s)', async (isStreamed) => {
    const { engine, service } = await startQueue({ slots: 1, maxWaiting: 4 }, 150);
    const running = postChat(service);
    await eventually('one runs', () => engine.load.running === 1);
    const reply = await postChat(service, { stream: isStreamed });
    expect(reply.statusCode).toBe(503);
    expect(Number(reply.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    const { error } = ErrorReply.parse(reply.json());
    expect(error).toMatchObject({ type: 'overloaded_error', code: 'OSLER_ERR_QUEUE_TIMEOUT' });
    expect(error.message).toContain('within 0.15 s');
    // Its place in the queue is free again, and the one before it was left alone.
    expect(engine.load).toMatchObject({ running: 1, waiting: 0 });
    engine.endOldest();
    expect((await running).statusCode).toBe(200);
    expect(await metric(service, 'osler_requests_total{model="tuned",outcome="refused"}')).toBe('1');
  });

  it('but gets one before the time is up is answered, however long that takes', async () => {
    const { engine, service } = await startQueue({ slots: 1, maxWaiting: 4, isSilent: true }, 1000);
    const [first, second] = [postChat(service), postChat(service)];
    await eventually('one waits', () => engine.load.waiting === 1);
    engine.endOldest();
    expect((await first).statusCode).toBe(200);
    // Beyond its time, without a word from the engine: it is not waiting any more.
    await sleep(1300);
    expect(engine.load).toMatchObject({ running: 1, waiting: 0 });
    engine.endOldest();
    expect((await second).statusCode).toBe(200);
  });

  it('because the queue is full is refused, with a time that grows with queue and answers', async () => {
    const { engine, service } = await startQueue({ slots: 2, maxWaiting: 6 });
    // Two answers of about 1.5 s teach the server how long they take.
    const lessons = [postChat(service), postChat(service)];
    await eventually('both run', () => engine.load.running === 2);
    await sleep(1500);
    for (const lesson of lessons) {
      engine.endOldest();
      await lesson;
    }
    const held = Array.from({ length: 8 }, () => postChat(service));
    await eventually('all places are taken', () => engine.load.waiting === 6);
    const reply = await postChat(service);
    expect(reply.statusCode).toBe(503);
    const seconds = Number(reply.headers['retry-after']);
    // 6 waiting × 1.5 s ÷ 2 slots.
    expect(seconds).toBeGreaterThanOrEqual(5);
    expect(seconds).toBeLessThanOrEqual(12);
    const { error } = ErrorReply.parse(reply.json());
    expect(error.code).toBe('OSLER_ERR_QUEUE_FULL');
    expect(error.message).toContain(`has 6 requests waiting`);
    expect(error.message).toContain(`in ${seconds} s`);
    // Refused in order: nothing for the log of failures.
    expect(service.log()).not.toContain('request failed');
    expect(await metric(service, 'osler_requests_total{model="tuned",outcome="refused"}')).toBe('1');
    while (engine.load.running > 0) {
      engine.endOldest();
      await sleep(1);
    }
    for (const answer of held) expect((await answer).statusCode).toBe(200);
  });

  it('never gets more than a minute to wait', async () => {
    const { engine, service } = await startQueue({ slots: 1, maxWaiting: 100 });
    const lesson = postChat(service);
    await eventually('it runs', () => engine.load.running === 1);
    await sleep(1000);
    engine.endOldest();
    await lesson;
    const held = Array.from({ length: 101 }, () => postChat(service));
    await eventually('all places are taken', () => engine.load.waiting === 100);
    expect((await postChat(service)).headers['retry-after']).toBe('60');
    while (engine.load.running > 0) {
      engine.endOldest();
      await sleep(1);
    }
    await Promise.all(held);
  });
});

describe('the gauges of the queue', () => {
  const gauges = ['num_requests_running', 'num_requests_waiting', 'batch_occupancy'];
  const read = async (service: Service) =>
    await Promise.all(gauges.map(async (name) => Number(await metric(service, `osler_${name}{model="tuned"}`))));

  it('show what runs and waits, and are 0 again when all clients have left', async () => {
    const { engine, service } = await startQueue({ slots: 2, maxWaiting: 4 });
    const origin = await service.listen();
    const leaving = new AbortController();
    const replies = Array.from({ length: 5 }, (_, index) =>
      fetch(`${origin}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'tuned', stream: index % 2 === 0, messages: [{ role: 'user', content: 'x' }] }),
        signal: leaving.signal,
      }).catch(() => undefined),
    );
    await eventually('three wait', () => engine.load.waiting === 3);
    expect(await read(service)).toEqual([2, 3, 1]);
    leaving.abort();
    await Promise.all(replies);
    await eventually('nothing is left', () => engine.load.running === 0);
    expect(await read(service)).toEqual([0, 0, 0]);
    await eventually(
      'all are counted',
      async () => (await metric(service, 'osler_requests_total{model="tuned",outcome="cancelled"}')) === '5',
    );
    expect(service.drain.running).toBe(0);
  });
});
