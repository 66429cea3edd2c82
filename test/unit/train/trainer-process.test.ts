import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runFolder, type RunFolder } from '../../../src/train/run-folder.ts';
import { isTrainerAlive, startTrainer, stopTrainer, tailLog } from '../../../src/train/trainer-process.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const startedAt = '2026-11-23T10:00:00.000Z';

/** A process that sleeps, with the words in its command line. */
async function sleeper(...words: string[]): Promise<{ pid: number; end: () => Promise<void> }> {
  const child = spawn(process.execPath, ['-e', 'console.log("up"); setTimeout(() => {}, 30_000)', ...words], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  if (child.pid === undefined) throw new Error('it did not start');
  return {
    pid: child.pid,
    end: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** A run's folder and a program that stands for Python: a shell script. */
async function setUp(script: string): Promise<{ folder: RunFolder; python: string }> {
  const home = temporaryFolder();
  const folder = runFolder(home, 'run-1');
  await mkdir(folder.root, { recursive: true });
  const python = path.join(home, 'python');
  await writeFile(python, `#!/bin/sh\n${script}\n`);
  await chmod(python, 0o755);
  return { folder, python };
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe.skipIf(process.platform !== 'linux')('isTrainerAlive (skipped where there is no /proc)', () => {
  const ours = runFolder('/home', 'run-1');

  it('is true of a trainer that runs and false once it has ended', async () => {
    const trainer = await sleeper(`osler_trainer train ${ours.job}`);
    expect(await isTrainerAlive({ pid: trainer.pid, startedAt, kind: 'local' }, ours)).toBe(true);
    await trainer.end();
    expect(await isTrainerAlive({ pid: trainer.pid, startedAt, kind: 'local' }, ours)).toBe(false);
  });

  it('does not take another process for the trainer whose number it was given', async () => {
    const other = await sleeper('something-else');
    expect(await isTrainerAlive({ pid: other.pid, startedAt, kind: 'local' }, ours)).toBe(false);
    expect(await isTrainerAlive({ pid: process.pid, startedAt, kind: 'local' }, ours)).toBe(false);
  });

  it('does not take the trainer of another run for its own', async () => {
    const other = await sleeper(`osler_trainer train ${runFolder('/home', 'run-2').job}`);
    expect(await isTrainerAlive({ pid: other.pid, startedAt, kind: 'local' }, ours)).toBe(false);
  });

  it('is false of a number that nobody has', async () => {
    expect(await isTrainerAlive({ pid: 2 ** 22 + 1, startedAt, kind: 'local' }, ours)).toBe(false);
  });
});

describe('startTrainer', () => {
  it('hands the job to the trainer and its two outputs to the run’s files, appending', async () => {
    const { folder, python } = await setUp('echo "$@"; echo "a log line" >&2');
    await writeFile(folder.events, 'former\n');
    const trainer = startTrainer({ python, folder, startedAt });
    expect(trainer).toEqual({ kind: 'local', pid: expect.any(Number), startedAt });
    await until(async () => (await readFile(folder.log, 'utf8')) !== '');
    expect(await readFile(folder.events, 'utf8')).toBe(`former\n-m osler_trainer train ${folder.job}\n`);
    expect(await readFile(folder.log, 'utf8')).toBe('a log line\n');
  });

  it('throws where the program cannot be started', async () => {
    const { folder } = await setUp('');
    const error = await errorOf(() => startTrainer({ python: '/none/python', folder, startedAt }));
    expect(error.code).toBe('OSLER_ERR_PYTHON_SETUP');
    expect(error.message).toContain('"/none/python" could not be started');
  });
});

describe('stopTrainer', () => {
  it('asks the trainer to stop, so that it can save', async () => {
    const { folder, python } = await setUp('trap "echo saved; exit 0" TERM; echo up; while :; do sleep 0.02; done');
    const trainer = startTrainer({ python, folder, startedAt });
    const eventsAre = (text: string) => async (): Promise<boolean> => (await readFile(folder.events, 'utf8')) === text;
    await until(eventsAre('up\n'));
    stopTrainer(trainer);
    await until(eventsAre('up\nsaved\n'));
    expect(await readFile(folder.events, 'utf8')).toBe('up\nsaved\n');
  });

  it('does nothing about a trainer that has ended', () =>
    expect(() => stopTrainer({ kind: 'local', pid: 2 ** 22 + 1, startedAt })).not.toThrow());
});

describe('tailLog', () => {
  it('gives the last lines, and nothing of a missing log', async () => {
    const file = path.join(temporaryFolder(), 'trainer.log');
    await writeFile(file, 'a\nb\nc\nd\n\n');
    expect(await tailLog(file, 2)).toBe('c\nd');
    expect(await tailLog(file)).toBe('a\nb\nc\nd');
    expect(await tailLog('/none/trainer.log')).toBe('');
  });
});
