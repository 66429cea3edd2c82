import { open, readFile, mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { childEnvironment } from '../../src/core/config.ts';

const pollMs = 200;
const startLimitMs = 300_000;
const stopGraceMs = 20_000;
const shownLogLines = 8;

/** The two that are compared. */
export const serverNames = ['ours', 'llama-server'] as const;
export type ServerName = (typeof serverNames)[number];

/** How to start a server, and how it says that its model is loaded. */
export interface ServerPlan {
  readonly name: ServerName;
  readonly command: string;
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly port: number;
  /** Answers 200 once requests can be served. */
  readonly readyPath: string;
  /** What its process writes; replaced at each start. */
  readonly logFile: string;
  /** The command with short names in place of local paths, to print and to keep. */
  readonly shownCommand: string;
}

export interface RunningServer {
  readonly plan: ServerPlan;
  readonly pid: number;
  /** Ends it with SIGTERM, and with SIGKILL where that does not help. */
  stop(): Promise<void>;
}

/** Starts a server and waits until it is ready. Throws with the end of its log where it dies or takes longer than five minutes. */
export async function startServer(plan: ServerPlan, signal?: AbortSignal): Promise<RunningServer> {
  await mkdir(path.dirname(plan.logFile), { recursive: true });
  const log = await open(plan.logFile, 'w');
  const child = execa(plan.command, [...plan.words], {
    env: childEnvironment(plan.environment),
    extendEnv: false,
    stdin: 'ignore',
    stdout: { file: plan.logFile, append: true },
    stderr: { file: plan.logFile, append: true },
    buffer: false,
    reject: false,
    forceKillAfterDelay: stopGraceMs,
  });
  await log.close();
  let hasEnded = false;
  const ended = child.then(() => {
    hasEnded = true;
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  const deadlineMs = performance.now() + startLimitMs;
  while (!(await isReady(plan))) {
    const isLate = performance.now() > deadlineMs;
    if (!hasEnded && !isLate && signal?.aborted !== true) {
      await pause(pollMs);
      continue;
    }
    await stop();
    signal?.throwIfAborted();
    throw new Error(`${plan.name} ${isLate ? 'was not ready in time' : 'ended while it started'}:\n${await lastLines(plan.logFile)}`);
  }
  // A child that answers has a process.
  return { plan, pid: child.pid ?? 0, stop };
}

/** A port of 127.0.0.1 that nobody uses at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
  });
  return await promise;
}

async function isReady(plan: ServerPlan): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${plan.port}${plan.readyPath}`).catch(() => undefined);
  await response?.body?.cancel();
  return response?.status === 200;
}

async function lastLines(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).trim().split('\n').slice(-shownLogLines).join('\n');
}
