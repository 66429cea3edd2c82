import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../src/engine/engine.ts';
import { defaultSocketLimits, type SocketLimits } from '../../../src/server/websocket/limits.ts';
import { ChatClient } from '../support/chat-client.ts';
import { eventually } from '../support/eventually.ts';
import { scriptedModel, servedModel, startService } from '../support/service.ts';
import { StubEngine } from '../support/stub-engine.ts';

/** More than the kernel's own buffers of a connection take, which are a few MB on each side. */
const deltas = 2000;
const word = `${'a'.repeat((16 << 10) - 1)} `;

/** An engine that writes as fast as it is read, and counts what was taken from it. */
function fastModel() {
  const taken = { count: 0 };
  async function* play(_request: unknown, signal: AbortSignal | undefined): AsyncGenerator<EngineEvent, void> {
    for (let index = 0; index < deltas; index += 1) {
      signal?.throwIfAborted();
      taken.count += 1;
      yield { type: 'delta', thought: '', answer: word, raw: word };
      await sleep(0);
    }
    const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: deltas, reasoningTokens: 0 };
    yield { type: 'finish', reason: 'stop', usage, rawText: '', timings: { queueSeconds: 0, promptSeconds: 0, generationSeconds: 0 } };
  }
  return { model: servedModel(new StubEngine(play)), taken };
}

/** A service with one client, and the server's end of its connection. */
async function connect(socketLimits: Partial<SocketLimits>) {
  const { model, taken } = fastModel();
  const service = await startService({ models: [model, scriptedModel({ name: 'quick' })], deps: { socketLimits } });
  const origin = await service.listen();
  const connections: Duplex[] = [];
  service.app.server.on('upgrade', (_request, connection) => connections.push(connection));
  const client = await ChatClient.open(origin);
  let mostUnsent = 0;
  const watch = setInterval(() => (mostUnsent = Math.max(mostUnsent, connections[0]?.writableLength ?? 0)), 1);
  void client.closed.then(() => clearInterval(watch));
  return { service, origin, model, taken, client, mostUnsent: () => mostUnsent };
}

/** Waits until a count no longer changes. */
async function settle(count: () => number): Promise<void> {
  for (let last = -1; last !== count();) {
    last = count();
    await sleep(250);
  }
}

const { highMarkBytes, maxPendingChars } = defaultSocketLimits;
/** The high mark, and one frame: what a chat gathers, one step of the engine, and the frame around it. */
const mostBytes = highMarkBytes + maxPendingChars + word.length + 200;

describe('a client that stops reading', () => {
  it('holds up the engine, costs no more than the bound, and has lost nothing when it reads on', async () => {
    const { client, taken, mostUnsent } = await connect({ stallMs: 60_000 });
    for (const id of ['a', 'b']) client.chat(id);
    await Promise.all([client.next('delta', 'a'), client.next('delta', 'b')]);
    client.socket.pause();
    await settle(() => taken.count);
    expect(taken.count).toBeLessThan(2 * deltas);
    expect(mostUnsent()).toBeGreaterThan(highMarkBytes);
    client.socket.resume();
    await Promise.all([client.next('done', 'a'), client.next('done', 'b')]);
    expect(mostUnsent()).toBeLessThan(mostBytes);
    for (const id of ['a', 'b']) {
      const frames = client.of(id).filter((frame) => frame.type === 'delta');
      expect(frames.map((frame) => frame.seq)).toEqual(frames.map((_, index) => index));
      expect(client.text(id, 'content') === word.repeat(deltas)).toBe(true);
      // What waited came in fewer frames.
      expect(frames.length).toBeLessThan(deltas);
    }
    client.socket.close();
    await client.closed;
  });

  it('for too long is closed with 4408 and its work cancelled', async () => {
    const { client, origin, model, service } = await connect({ stallMs: 300, closeMs: 30_000 });
    for (const id of ['a', 'b', 'c']) client.chat(id);
    await client.next('delta');
    client.socket.pause();
    await eventually('the engine is idle', () => model.engine.load.running === 0, 20_000);
    client.socket.resume();
    expect(await client.closed).toEqual({ code: 4408, reason: 'the client does not read' });
    await eventually('its end is counted', async () =>
      (await service.app.inject('/metrics')).body.includes('osler_websocket_connections 0'),
    );
    const next = await ChatClient.open(origin);
    next.chat('a', { model: 'quick' });
    expect((await next.next('done', 'a')).finish_reason).toBe('stop');
    expect(service.log()).not.toMatch(/"level":50/);
  });

  it('and never comes back is cut off', async () => {
    const { client, model, service } = await connect({ stallMs: 200, closeMs: 200 });
    client.chat('a');
    await client.next('delta');
    client.socket.pause();
    await eventually('the server is rid of it', async () => (await connectionsOf(service.app.server)) === 0, 20_000);
    expect(model.engine.load.running).toBe(0);
    client.leave();
    expect((await client.closed).code).toBe(1006);
  });

  it('but makes the server reply is not listened to until it reads', async () => {
    const { client, mostUnsent } = await connect({ stallMs: 60_000 });
    client.socket.pause();
    // More, and still more of replies, than the kernel's buffers take.
    const count = 100_000;
    const frame = JSON.stringify({ type: 'cancel', id: 'x'.repeat(64) });
    for (let sent = 0; sent < count; sent += 1) {
      client.send(frame);
      if (sent % 1000 === 0) await sleep(0);
    }
    await settle(() => client.socket.bufferedAmount);
    expect(client.socket.bufferedAmount).toBeGreaterThan(0);
    client.socket.resume();
    await eventually('all are replied to', () => client.frames.length === count + 1, 30_000);
    expect(mostUnsent()).toBeLessThan(1 << 20);
    client.socket.close();
    await client.closed;
  });
});

describe('the heartbeat', () => {
  it('pings, and keeps a client that answers', async () => {
    const { client, model } = await connect({ heartbeatMs: 300 });
    await eventually('it was pinged', () => client.pings >= 3);
    client.chat('a', { model: 'quick' });
    await client.next('done', 'a');
    expect(model.engine.load.running).toBe(0);
    client.socket.close();
    expect((await client.closed).code).toBe(1005);
  });

  it('cuts off a client that does not, with its chats', async () => {
    const service = await startService({
      models: [scriptedModel({ reply: 'on and on '.repeat(5000), wordMs: 2 })],
      deps: { socketLimits: { heartbeatMs: 100 } },
    });
    const client = await ChatClient.open(await service.listen(), { autoPong: false });
    client.chat('a');
    expect((await client.closed).code).toBe(1006);
    await eventually('no work is left', async () =>
      (await service.app.inject('/metrics')).body.includes('osler_num_requests_running{model="tuned"} 0'),
    );
  });
});

async function connectionsOf(server: import('node:net').Server): Promise<number> {
  return await new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
