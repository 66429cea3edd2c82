import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { eventually } from '../support/eventually.ts';
import { chatBody, postChat, scriptedModel, startService } from '../support/service.ts';
import { channelOf, chunksOf, ErrorReply, parseSse } from '../support/wire.ts';

const longReply = `${'I think on. '.repeat(30)}</think>\n\nThe end.`;

async function startChat(origin: string, isStreamed: boolean): Promise<Response> {
  return await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(chatBody({ stream: isStreamed })),
  });
}

describe('a server that drains', () => {
  it('is no longer ready at once, and still tells of its health', async () => {
    const service = await startService();
    expect((await service.app.inject('/readyz')).statusCode).toBe(200);
    service.drain.begin();
    expect((await service.app.inject('/readyz')).statusCode).toBe(503);
    for (const url of ['/livez', '/health', '/metrics']) expect((await service.app.inject(url)).statusCode, url).toBe(200);
  });

  it('refuses new work with 503, Retry-After and the end of the connection', async () => {
    const service = await startService();
    service.drain.begin();
    for (const reply of [await postChat(service), await postChat(service, { stream: true }), await service.app.inject('/api/runs')]) {
      expect(reply.statusCode).toBe(503);
      expect(reply.headers).toMatchObject({ 'retry-after': '10', connection: 'close' });
      expect(ErrorReply.parse(reply.json()).error).toMatchObject({ type: 'overloaded_error', code: 'OSLER_ERR_DRAINING' });
    }
    expect((await service.app.inject('/metrics')).body).toContain('osler_requests_total{model="",outcome="refused"} 2');
  });

  it('lets running answers come to their end, whole and streamed', async () => {
    const model = scriptedModel({ reply: longReply, wordMs: 10 });
    const service = await startService({ models: [model] });
    const origin = await service.listen();
    const replies = [startChat(origin, true), startChat(origin, false)];
    await eventually('both run', () => service.drain.running === 2);
    service.drain.begin();
    expect(await service.drain.idle(1)).toBe(false);
    const [streamed, whole] = await Promise.all(replies.map(async (reply) => await (await reply).text()));
    expect(channelOf(chunksOf(streamed ?? ''), 'content')).toBe('The end.');
    expect(whole).toContain('The end.');
    expect(await service.drain.idle(5000)).toBe(true);
    expect(service.drain.running).toBe(0);
  });

  it('has nothing to wait for when a client leaves', async () => {
    const model = scriptedModel({ reply: longReply.repeat(100), wordMs: 10 });
    const service = await startService({ models: [model] });
    const origin = await service.listen();
    const reply = await startChat(origin, true);
    await eventually('it runs', () => service.drain.running === 1);
    service.drain.begin();
    await reply.body?.cancel();
    expect(await service.drain.idle(5000)).toBe(true);
  });

  it('ends the streams of trainings at once, as these outlive the server', async () => {
    const service = await startService();
    const origin = await service.listen();
    const { run } = service.trainings.create(await resolveRecipe({ preset: 'smoke' }));
    const reply = await fetch(`${origin}/api/runs/${run.id}/events`);
    const end = reply.text();
    service.drain.begin();
    // The state that it had when it was asked, and no word of an end.
    expect(parseSse(await end).filter(({ comment }) => comment === null)).toMatchObject([{ event: 'state' }]);
    expect(service.drain.running).toBe(0);
  });

  it('closes an idle websocket, and no new one is opened', async () => {
    const service = await startService();
    const origin = await service.listen();
    const socket = new WebSocket(`${origin}/ws/chat`, ['osler.chat.v1']);
    const closed = once(socket, 'close');
    await once(socket, 'open');
    service.drain.begin();
    expect((await closed)[0]).toBe(1001);
    await expect(once(new WebSocket(`${origin}/ws/chat`, ['osler.chat.v1']), 'open')).rejects.toThrow('503');
  });
});
