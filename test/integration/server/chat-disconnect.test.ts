import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../src/engine/engine.ts';
import type { ServedModel } from '../../../src/server/served-model.ts';
import { eventually } from '../support/eventually.ts';
import { chatBody, scriptedModel, servedModel, type Service, startService } from '../support/service.ts';
import { StubEngine } from '../support/stub-engine.ts';

const longReply = `${'I think on and on. '.repeat(500)}</think>\n\nDone.`;

/** Sends a chat request that can be broken off; what the broken-off fetch throws is of no interest. */
function send(origin: string, body: Record<string, unknown>) {
  const leaving = new AbortController();
  const reply = fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(chatBody(body)),
    signal: leaving.signal,
  });
  reply.catch(() => undefined);
  return { leave: () => leaving.abort(), reply };
}

async function connectionsOf(service: Service): Promise<number> {
  return await new Promise((resolve, reject) => {
    service.app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

async function metric(service: Service, line: string): Promise<string | undefined> {
  const text = (await service.app.inject('/metrics')).body;
  return text
    .split('\n')
    .find((candidate) => candidate.startsWith(`${line} `))
    ?.split(' ')[1];
}

const isIdle = (model: ServedModel) => () => model.engine.load.running === 0;

describe('a client that leaves', () => {
  it('in mid-stream cancels the engine’s work', async () => {
    const model = scriptedModel({ reply: longReply, wordMs: 5 });
    const service = await startService({ models: [model] });
    const { reply, leave } = send(await service.listen(), { stream: true });
    const reader = (await reply).body?.getReader();
    await reader?.read();
    expect(model.engine.load.running).toBe(1);
    expect(await metric(service, 'osler_num_requests_running{model="tuned"}')).toBe('1');
    leave();
    await eventually('the engine is idle', isIdle(model));
    expect(await metric(service, 'osler_num_requests_running{model="tuned"}')).toBe('0');
    await eventually(
      'the request is counted as cancelled',
      async () => (await metric(service, 'osler_requests_total{model="tuned",outcome="cancelled"}')) === '1',
    );
    // Nobody did anything wrong.
    expect(service.log()).not.toMatch(/"level":50/);
  });

  it('while a whole answer is made cancels it, and is no error of the server', async () => {
    const model = scriptedModel({ reply: longReply, wordMs: 5 });
    const service = await startService({ models: [model] });
    const { leave } = send(await service.listen(), {});
    await eventually('the engine works', () => model.engine.load.running === 1);
    leave();
    await eventually('the engine is idle', isIdle(model));
    await eventually(
      'the request is counted as cancelled',
      async () => (await metric(service, 'osler_requests_total{model="tuned",outcome="cancelled"}')) === '1',
    );
    expect(service.log()).not.toMatch(/"level":50/);
  });

  it('before the first token leaves nothing open, even of an engine that heeds no signal', async () => {
    for (const isStreamed of [true, false]) {
      const gate = Promise.withResolvers<void>();
      async function* play(): AsyncGenerator<EngineEvent, void> {
        await gate.promise;
        for (;;) {
          yield { type: 'delta', thought: 'on ', answer: '', raw: 'on ' };
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
      const model = servedModel(new StubEngine(play));
      const service = await startService({ models: [model] });
      const { leave } = send(await service.listen(), { stream: isStreamed });
      await eventually('the engine works', () => model.engine.load.running === 1);
      leave();
      await eventually('the connection is gone', async () => (await connectionsOf(service)) === 0);
      gate.resolve();
      await eventually('the engine is idle', isIdle(model));
      expect(service.log()).not.toMatch(/"level":50/);
    }
  });

  it('leaves the others’ answers alone', async () => {
    const model = scriptedModel({ reply: `${'a thought goes on '.repeat(20)}</think>\n\nThe end.`, wordMs: 3 });
    const service = await startService({ models: [model] });
    const origin = await service.listen();
    const leaver = send(origin, { stream: true });
    const stayer = send(origin, {});
    await eventually('both are worked on', () => model.engine.load.running === 2);
    leaver.leave();
    const body: unknown = await (await stayer.reply).json();
    expect(body).toMatchObject({ choices: [{ message: { content: 'The end.' }, finish_reason: 'stop' }] });
    await eventually('the engine is idle', isIdle(model));
  });

  it('that reads to the end leaves no work either', async () => {
    const model = scriptedModel();
    const service = await startService({ models: [model] });
    const { reply } = send(await service.listen(), { stream: true });
    expect(await (await reply).text()).toContain('[DONE]');
    expect(model.engine.load.running).toBe(0);
    expect(await metric(service, 'osler_requests_total{model="tuned",outcome="stop"}')).toBe('1');
  });
});
