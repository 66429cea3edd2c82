import { describe, expect, it } from 'vitest';
import { ScriptedEngine } from '../../../src/engine/scripted/scripted-engine.ts';
import { ChatClient } from '../support/chat-client.ts';
import { eventually } from '../support/eventually.ts';
import { scriptedModel, servedModel, startService } from '../support/service.ts';

const thoughtful = `${'I weigh it. '.repeat(40)}</think>\n\nThe end.`;
const endless = `${'I think on and on. '.repeat(2000)}</think>\n\nDone.`;

describe('a chat on a websocket', () => {
  it('is greeted with models, limits and the notice', async () => {
    const service = await startService({ models: [scriptedModel({ name: 'base' }), scriptedModel()] });
    const client = await ChatClient.open(await service.listen());
    expect(client.socket.protocol).toBe('osler.chat.v1');
    expect(client.frames).toEqual([
      {
        type: 'hello',
        protocol: 'osler.chat.v1',
        models: ['base', 'tuned'],
        limits: { max_chats: 16, max_frame_bytes: 1 << 20, heartbeat_s: 20, read_timeout_s: 30 },
        notice: expect.stringContaining('Not a medical device'),
      },
    ]);
  });

  it('comes as started, deltas, thought-closed, deltas, done', async () => {
    const service = await startService();
    const client = await ChatClient.open(await service.listen());
    client.chat('a', { seed: 7 });
    const done = await client.next('done', 'a');
    expect(done).toMatchObject({ finish_reason: 'stop', seed: 7, usage: { completion_tokens_details: { reasoning_tokens: 5 } } });
    expect(client.text('a', 'reasoning_content')).toBe('I weigh the signs.');
    expect(client.text('a', 'content')).toBe('It is scurvy, from lack of vitamin C.');
    const types = client.of('a').map((frame) => frame.type);
    expect(types.filter((type) => type !== 'delta')).toEqual(['started', 'thought-closed', 'done']);
    const closedAt = types.indexOf('thought-closed');
    for (const [index, frame] of client.of('a').entries()) {
      if (frame.type !== 'delta') continue;
      if (index > closedAt) expect(frame.reasoning_content).toBeUndefined();
    }
    const deltas = client.of('a').filter((frame) => frame.type === 'delta');
    expect(deltas.map((frame) => frame.seq)).toEqual(deltas.map((_, index) => index));
    expect(await client.next('started', 'a')).toMatchObject({ model: 'tuned', seed: 7, fingerprint: expect.stringMatching(/^fp_/) });
  });

  it('is asked of the engine as the same chat over HTTP', async () => {
    const seen: unknown[] = [];
    const service = await startService({ models: [scriptedModel({ seen: seen as never[] })] });
    const body = { seed: 3, max_tokens: 5, temperature: 0, stop: ['x'], thinking_budget_tokens: 2 };
    const client = await ChatClient.open(await service.listen());
    client.chat('a', body);
    await client.next('done', 'a');
    await service.app.inject({
      method: 'POST',
      url: '/v1/chat/completions',
      payload: { model: 'tuned', messages: [{ role: 'user', content: 'Which deficiency causes scurvy?' }], ...body },
    });
    expect(seen).toHaveLength(2);
    expect(seen[0]).toEqual(seen[1]);
  });

  it('shares the socket with others, whose frames come between its own', async () => {
    const service = await startService({ models: [scriptedModel({ reply: thoughtful, wordMs: 2 })] });
    const client = await ChatClient.open(await service.listen());
    const ids = ['a', 'b', 'c', 'd'];
    for (const id of ids) client.chat(id);
    await Promise.all(ids.map((id) => client.next('done', id)));
    const firstDone = client.frames.findIndex((frame) => frame.type === 'done');
    for (const id of ids) {
      expect(client.text(id, 'content')).toBe('The end.');
      expect(client.frames.findIndex((frame) => frame.type === 'delta' && frame.id === id)).toBeLessThan(firstDone);
    }
  });

  it('may use an id again once it is over', async () => {
    const service = await startService();
    const client = await ChatClient.open(await service.listen());
    for (let round = 1; round <= 3; round += 1) {
      client.chat('a');
      await eventually('it is done', () => client.of('a').filter((frame) => frame.type === 'done').length === round);
    }
    expect(client.of('a').filter((frame) => frame.type === 'error')).toEqual([]);
  });

  it('that is cancelled stops the engine’s work, and no other chat', async () => {
    const model = scriptedModel({ reply: endless, wordMs: 1 });
    const service = await startService({ models: [model] });
    const client = await ChatClient.open(await service.listen());
    for (const id of ['a', 'b']) client.chat(id);
    await Promise.all([client.next('delta', 'a'), client.next('delta', 'b')]);
    client.send({ type: 'cancel', id: 'a' });
    await client.next('cancelled', 'a');
    await eventually('one chat is left', () => model.engine.load.running === 1);
    const frames = client.of('b').length;
    await eventually('the other goes on', () => client.of('b').length > frames + 5);
    expect(client.of('a').at(-1)).toEqual({ type: 'cancelled', id: 'a' });
    client.send({ type: 'cancel', id: 'b' });
    await client.next('cancelled', 'b');
    expect(model.engine.load.running).toBe(0);
    expect((await service.app.inject('/metrics')).body).toContain('osler_requests_total{model="tuned",outcome="cancelled"} 2');
    expect(service.log()).not.toMatch(/"level":50/);
  });

  it('that is told to answer now closes its thought and answers', async () => {
    const service = await startService({ models: [scriptedModel({ reply: endless, wordMs: 1 })] });
    const client = await ChatClient.open(await service.listen());
    client.chat('a');
    await client.next('delta', 'a');
    client.send({ type: 'answer-now', id: 'a' });
    expect(await client.next('thought-closed', 'a')).toEqual({ type: 'thought-closed', id: 'a', how: 'client' });
    await client.next('done', 'a');
    expect(client.text('a', 'content')).toBe('Done.');
  });

  it('that is told so in the same breath as it is sent does so, too, by an engine that knows only what has begun', async () => {
    const engine = new ScriptedEngine({ reply: () => endless, wordMs: 1 });
    const generate = engine.generate.bind(engine);
    engine.generate = (request, signal) => {
      const generation = generate(request, signal);
      let hasBegun = false;
      return {
        answerNow: () => {
          if (hasBegun) generation.answerNow();
        },
        [Symbol.asyncIterator]: () => {
          hasBegun = true;
          return generation[Symbol.asyncIterator]();
        },
      };
    };
    const service = await startService({ models: [servedModel(engine)] });
    const client = await ChatClient.open(await service.listen());
    client.chat('a');
    client.send({ type: 'answer-now', id: 'a' });
    expect(await client.next('thought-closed', 'a')).toMatchObject({ how: 'client' });
    await client.next('done', 'a');
  });

  it('tells the model’s tool calls whole', async () => {
    const reply = 'I look it up.\n</think>\n\n<tool_call>\n{"name": "lookup", "arguments": {"drug": "ascorbic acid"}}\n</tool_call>';
    const service = await startService({ models: [scriptedModel({ reply })] });
    const client = await ChatClient.open(await service.listen());
    const lookup = { name: 'lookup', parameters: { type: 'object', properties: { drug: { type: 'string' } } } };
    client.chat('a', { tools: [{ type: 'function', function: lookup }] });
    const { index, tool_call: call } = await client.next('tool-call', 'a');
    expect(index).toBe(0);
    expect(call.function.name).toBe('lookup');
    expect(JSON.parse(call.function.arguments)).toEqual({ drug: 'ascorbic acid' });
    expect((await client.next('done', 'a')).finish_reason).toBe('tool_calls');
    expect(client.text('a', 'content')).toBe('');
  });

  it('ends with an error where the engine fails on the way, after the text that was there', async () => {
    const service = await startService({ models: [scriptedModel({ reply: thoughtful, failAfterWords: 6 })] });
    const client = await ChatClient.open(await service.listen());
    client.chat('a');
    const { error } = await client.next('error', 'a');
    expect(error).toMatchObject({ code: 'OSLER_ERR_ENGINE_FAILED', type: 'overloaded_error' });
    expect(client.text('a', 'reasoning_content')).toContain('I weigh it.');
    expect(client.of('a').at(-1)?.type).toBe('error');
  });

  it('is cancelled when its client disconnects, with all the others', async () => {
    const model = scriptedModel({ reply: endless, wordMs: 1 });
    const service = await startService({ models: [model] });
    const client = await ChatClient.open(await service.listen());
    for (const id of ['a', 'b', 'c', 'd', 'e']) client.chat(id);
    await eventually('all are worked on', () => model.engine.load.running === 5);
    client.leave();
    await eventually('the engine is idle', () => model.engine.load.running === 0);
    expect((await service.app.inject('/metrics')).body).toContain('osler_websocket_connections 0');
    expect(service.log()).not.toMatch(/"level":50/);
  });

  it('leaves no word of question or answer in the log, but a line of its own', async () => {
    const service = await startService();
    const client = await ChatClient.open(await service.listen());
    client.chat('my-own-name');
    const { request_id: requestId } = await client.next('started');
    await client.next('done');
    client.socket.close();
    await eventually('the end is logged', () => service.log().includes('"msg":"websocket"'));
    expect(service.log()).toMatch(new RegExp(`"reqId":"${requestId}".*"model":"tuned","outcome":"stop"`));
    expect(service.log()).not.toMatch(/scurvy|signs|my-own-name/);
  });

  it('is answered after two hundred sockets were opened and abandoned in the middle of a chat', async () => {
    const model = scriptedModel({ reply: endless, wordMs: 20 });
    const service = await startService({ models: [model, scriptedModel({ name: 'quick' })] });
    const origin = await service.listen();
    const crowd = await Promise.all(Array.from({ length: 200 }, async () => await ChatClient.open(origin)));
    for (const client of crowd) client.chat('a');
    await eventually('all are worked on', () => model.engine.load.running === 200, 20_000);
    expect((await service.app.inject('/metrics')).body).toContain('osler_websocket_connections 200');
    for (const client of crowd) client.leave();
    await eventually('the engine is idle', () => model.engine.load.running === 0, 20_000);
    const client = await ChatClient.open(origin);
    client.chat('a', { model: 'quick' });
    expect((await client.next('done', 'a')).finish_reason).toBe('stop');
    expect((await service.app.inject('/metrics')).body).toContain('osler_websocket_connections 1');
  });
});
