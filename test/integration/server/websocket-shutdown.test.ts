import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ChatClient, refusedUpgrade } from '../support/chat-client.ts';
import { eventually } from '../support/eventually.ts';
import { scriptedModel, startService } from '../support/service.ts';
import { ErrorReply } from '../support/wire.ts';

const endless = `${'I think on and on. '.repeat(5000)}</think>\n\nDone.`;

describe('closing a service with websockets', () => {
  it('is not held by idle ones, which are told', async () => {
    const service = await startService();
    const origin = await service.listen();
    const clients = await Promise.all([1, 2, 3].map(async () => await ChatClient.open(origin)));
    expect(await Promise.race([service.app.close().then(() => 'closed'), sleep(3000, 'still open')])).toBe('closed');
    for (const client of clients) expect(await client.closed).toEqual({ code: 1001, reason: 'the server is stopping' });
  });

  it('lets a running chat come to its end, takes no new one, and closes then', async () => {
    const model = scriptedModel({ reply: `${'I weigh it. '.repeat(50)}</think>\n\nThe end.`, wordMs: 10 });
    const service = await startService({ models: [model] });
    const client = await ChatClient.open(await service.listen());
    client.chat('a');
    await client.next('delta', 'a');
    const closed = service.app.close();
    client.chat('b');
    expect((await client.next('error', 'b')).error).toMatchObject({ code: 'OSLER_ERR_DRAINING', type: 'overloaded_error' });
    await client.next('done', 'a');
    expect(client.text('a', 'content')).toBe('The end.');
    expect((await client.closed).code).toBe(1001);
    await closed;
  });

  it('refuses a new one while it drains', async () => {
    const service = await startService();
    const origin = await service.listen();
    service.drain.begin();
    const { status, body } = await refusedUpgrade(origin);
    expect(status).toBe(503);
    expect(ErrorReply.parse(body).error.code).toBe('OSLER_ERR_DRAINING');
  });

  it('breaks off a chat that is not done when the time is up', async () => {
    const model = scriptedModel({ reply: endless, wordMs: 5 });
    const service = await startService({ models: [model] });
    const client = await ChatClient.open(await service.listen());
    client.chat('a');
    await client.next('delta', 'a');
    service.drain.begin();
    expect(await service.drain.idle(100)).toBe(false);
    expect(service.drain.running).toBe(1);
    expect((await client.closed).code).toBe(1001);
    await eventually('the engine is idle', () => model.engine.load.running === 0);
    await service.app.close();
    expect(service.drain.running).toBe(0);
  });
});
