import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { packageRoot } from '../../../src/core/package-root.ts';
import { eventually } from './eventually.ts';

/** A server in a process of its own. */
export interface ServeProcess {
  readonly child: ChildProcess;
  readonly origin: string;
  /** What it wrote to stderr. */
  said(): string;
  exitCode(): Promise<number | null>;
}

/** Starts a server with a scripted model, which takes `wordMs` for each of 43 words; it is killed when the running test ends. */
export async function startServeProcess(home: string, settings: Record<string, unknown> = {}, wordMs = 0): Promise<ServeProcess> {
  const child = spawn(
    path.join(packageRoot, 'node_modules/.bin/node'),
    [path.join(packageRoot, 'test/integration/support/serve-child.ts'), JSON.stringify(settings), String(wordMs)],
    { env: { PATH: process.env['PATH'], OSLER_HOME: home, CI: '1' }, stdio: ['ignore', 'pipe', 'pipe'] },
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
