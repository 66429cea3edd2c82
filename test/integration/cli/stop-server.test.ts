import { once } from 'node:events';
import path from 'node:path';
import { type ChildProcess, spawn } from 'node:child_process';
import { describe, expect, it, onTestFinished } from 'vitest';
import { packageRoot } from '../../../src/core/package-root.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { eventually } from '../support/eventually.ts';

interface Server {
  readonly child: ChildProcess;
  readonly origin: string;
  /** What it wrote to stderr. */
  said(): string;
  exitCode(): Promise<number | null>;
}

/** Starts a server with a scripted model, which takes `wordMs` for each of 43 words. */
async function startServer(settings: Record<string, unknown>, wordMs: number): Promise<Server> {
  const child = spawn(
    path.join(packageRoot, 'node_modules/.bin/node'),
    [path.join(packageRoot, 'test/integration/support/serve-child.ts'), JSON.stringify(settings), String(wordMs)],
    { env: { PATH: process.env['PATH'], OSLER_HOME: temporaryFolder(), CI: '1' }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let [out, errors] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const exited = once(child, 'exit');
  onTestFinished(() => void child.kill('SIGKILL'));
  await eventually('it listens', () => out.includes('curl '), 30_000);
  return {
    child,
    origin: /http:\/\/127\.0\.0\.1:\d+/.exec(out)?.[0] ?? '',
    said: () => errors,
    exitCode: async () => Number((await exited)[0]),
  };
}

function ask(server: Server): Promise<Response> {
  return fetch(`${server.origin}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'tuned', stream: true, messages: [{ role: 'user', content: 'x' }] }),
  });
}

describe('osler serve', () => {
  it('ends with 0 on SIGTERM when the running answer has come to its end', async () => {
    const server = await startServer({}, 40);
    const reply = await ask(server);
    server.child.kill('SIGTERM');
    await eventually('it drains', () => server.said().includes('finishing 1 answer(s)'));
    expect((await fetch(`${server.origin}/readyz`)).status).toBe(503);
    expect((await ask(server)).status).toBe(503);
    expect(await reply.text()).toMatch(/"end\.".*\[DONE\]\n\n$/s);
    expect(await server.exitCode()).toBe(0);
  });

  it('ends with 0 at once on SIGINT when nothing runs', async () => {
    const server = await startServer({ drainSeconds: 600 }, 0);
    await (await ask(server)).text();
    server.child.kill('SIGINT');
    expect(await server.exitCode()).toBe(0);
  });

  it('cuts off what takes longer than it may, says so, and ends with 130', async () => {
    const server = await startServer({ drainSeconds: 0 }, 60_000);
    const reply = await ask(server);
    server.child.kill('SIGTERM');
    expect(await server.exitCode()).toBe(130);
    expect(server.said()).toContain('1 answer(s) were cut off');
    await expect(reply.text()).rejects.toThrow('terminated');
  });

  it('ends with 130 at once on a second signal', async () => {
    const server = await startServer({ drainSeconds: 600 }, 60_000);
    const reply = await ask(server);
    server.child.kill('SIGTERM');
    await eventually('it drains', () => server.said().includes('finishing 1 answer(s)'));
    server.child.kill('SIGINT');
    expect(await server.exitCode()).toBe(130);
    await expect(reply.text()).rejects.toThrow('terminated');
  });
});
