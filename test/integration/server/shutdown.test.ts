import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { chatBody, scriptedModel, startService } from '../support/service.ts';
import { channelOf, chunksOf } from '../support/wire.ts';

describe('closing the service', () => {
  it('lets a running answer come to its end first', async () => {
    const model = scriptedModel({ wordMs: 10 });
    const service = await startService({ models: [model] });
    const origin = await service.listen();
    const reply = fetch(`${origin}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(chatBody({ stream: true })),
    });
    await eventually('the engine works', () => model.engine.load.running === 1);
    const closed = service.app.close();
    expect(channelOf(chunksOf(await (await reply).text()), 'content')).toBe('It is scurvy, from lack of vitamin C.');
    await closed;
    await expect(fetch(`${origin}/health`)).rejects.toThrow('fetch failed');
  });

  it('is not held by connections that are idle or never sent a request', async () => {
    const service = await startService();
    const origin = await service.listen();
    await (await fetch(`${origin}/health`)).text();
    const silent = net.connect(Number(new URL(origin).port), '127.0.0.1');
    await once(silent, 'connect');
    const gone = once(silent, 'close');
    silent.on('error', () => undefined);
    expect(await Promise.race([service.app.close().then(() => 'closed'), sleep(3000, 'still open')])).toBe('closed');
    await gone;
  });
});
