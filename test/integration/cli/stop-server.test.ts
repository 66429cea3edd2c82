import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { eventually } from '../support/eventually.ts';
import { type ServeProcess, startServeProcess } from '../support/serve-process.ts';

function ask(server: ServeProcess): Promise<Response> {
  return fetch(`${server.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'tuned', stream: true, messages: [{ role: 'user', content: 'x' }] }),
  });
}

describe('osler serve', () => {
  it('ends with 0 on SIGTERM when the running answer has come to its end', async () => {
    const server = await startServeProcess(temporaryFolder(), {}, 40);
    const reply = await ask(server);
    server.child.kill('SIGTERM');
    await eventually('it drains', () => server.said().includes('finishing 1 answer(s)'));
    expect((await fetch(`${server.origin}/readyz`)).status).toBe(503);
    expect((await ask(server)).status).toBe(503);
    expect(await reply.text()).toMatch(/"end\.".*\[DONE\]\n\n$/s);
    expect(await server.exitCode()).toBe(0);
  });

  it('ends with 0 at once on SIGINT when nothing runs', async () => {
    const server = await startServeProcess(temporaryFolder(), { drainSeconds: 600 }, 0);
    await (await ask(server)).text();
    server.child.kill('SIGINT');
    expect(await server.exitCode()).toBe(0);
  });

  it('cuts off what takes longer than it may, says so, and ends with 130', async () => {
    const server = await startServeProcess(temporaryFolder(), { drainSeconds: 0 }, 60_000);
    const reply = await ask(server);
    server.child.kill('SIGTERM');
    expect(await server.exitCode()).toBe(130);
    expect(server.said()).toContain('1 answer(s) were cut off');
    await expect(reply.text()).rejects.toThrow('terminated');
  });

  it('ends with 130 at once on a second signal', async () => {
    const server = await startServeProcess(temporaryFolder(), { drainSeconds: 600 }, 60_000);
    const reply = await ask(server);
    server.child.kill('SIGTERM');
    await eventually('it drains', () => server.said().includes('finishing 1 answer(s)'));
    server.child.kill('SIGINT');
    expect(await server.exitCode()).toBe(130);
    await expect(reply.text()).rejects.toThrow('terminated');
  });
});
