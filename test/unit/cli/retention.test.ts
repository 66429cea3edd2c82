import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { applyRetention, listRemovable, startRetention } from '../../../src/cli/retention.ts';
import { tryLockFolder } from '../../../src/core/folder-lock.ts';
import { openStore } from '../../../src/core/store.ts';
import { ModelStore } from '../../../src/train/model-store.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { RunStore } from '../../../src/train/run-store.ts';
import { FixedClock } from '../../support/fixed-clock.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { testConfig } from '../../support/test-home.ts';

const recipe = await resolveRecipe({ preset: 'smoke' });
const secret = 'a patient with angina';
const begin = new Date('2026-01-01T00:00:00Z');

/** A home with a finished run, an evaluation and a cached file, all of `begin`; the clock stands so many days later. */
function homeAfter(days: number, retentionDays: number | null) {
  const home = temporaryFolder();
  const clock = new FixedClock(begin.toISOString());
  const database = openStore(':memory:');
  const context = {
    config: { ...testConfig(home), retentionDays },
    clock,
    runs: new RunStore(database, clock),
    models: new ModelStore(database),
    launcher: async () => await Promise.reject(new Error('no run here has a trainer')),
  };
  context.runs.add('run-1', recipe, null);
  context.runs.setState('run-1', 'done');
  for (const name of ['runs/run-1/train.jsonl', 'runs/run-1/outputs/x.pt', 'evaluations/eval-1/samples.jsonl', 'cache/gguf/a.gguf']) {
    mkdirSync(path.dirname(path.join(home, name)), { recursive: true });
    writeFileSync(path.join(home, name), secret);
    utimesSync(path.join(home, name), begin, begin);
  }
  clock.at = new Date(begin.getTime() + days * 24 * 3600 * 1000);
  const lines: string[] = [];
  const log = {
    info: (about: object, message: string) => lines.push(`info ${message} ${JSON.stringify(about)}`),
    warn: (about: object, message: string) => lines.push(`warn ${message} ${JSON.stringify(about)}`),
  };
  return { context, log, lines, has: (name: string) => existsSync(path.join(home, name)), home };
}

describe('applyRetention', () => {
  it('keeps everything where no days are set', async () => {
    const { context, log, lines, has } = homeAfter(5000, null);
    await applyRetention(context, log);
    expect(lines).toEqual([]);
    expect(has('runs/run-1/train.jsonl') && has('evaluations/eval-1/samples.jsonl')).toBe(true);
  });

  it('keeps what is younger', async () => {
    const { context, log, lines } = homeAfter(29, 30);
    await applyRetention(context, log);
    expect(lines).toEqual([]);
  });

  it('deletes older runs and texts, but no caches, and logs ids and sizes only', async () => {
    const { context, log, lines, has } = homeAfter(31, 30);
    await applyRetention(context, log);
    expect(lines.map((line) => line.replace(/"bytes":\d+/, '"bytes":N'))).toEqual([
      'info removed by retention {"kind":"samples","name":"eval-1","bytes":N}',
      'info removed by retention {"kind":"runs","name":"run-1","bytes":N}',
    ]);
    expect(lines.join()).not.toContain(secret);
    expect(has('runs/run-1') || has('evaluations/eval-1/samples.jsonl')).toBe(false);
    expect(has('cache/gguf/a.gguf')).toBe(true);
    expect(context.runs.list()).toEqual([]);
  });

  it('leaves what is in use, says so, and goes on with the rest', async () => {
    const { context, log, lines, has, home } = homeAfter(31, 30);
    const unlock = tryLockFolder(path.join(home, 'runs/run-1'));
    await applyRetention(context, log);
    unlock?.();
    expect(lines).toContainEqual(expect.stringMatching(/^warn retention could not remove it .*run-1.*at work/));
    expect(has('runs/run-1/train.jsonl')).toBe(true);
    expect(has('evaluations/eval-1/samples.jsonl')).toBe(false);
  });
});

describe('listRemovable', () => {
  it('does not list the checkpoints of a run that goes as a whole', async () => {
    const { context } = homeAfter(31, null);
    const kindsOf = async (...kinds: Parameters<typeof listRemovable>[1]) =>
      (await listRemovable(context, kinds, context.clock.now())).map((item) => item.kind);
    expect(await kindsOf('checkpoints')).toEqual(['checkpoints']);
    expect(await kindsOf('checkpoints', 'runs')).toEqual(['runs']);
    expect(await kindsOf('caches', 'samples', 'checkpoints')).toEqual(['caches', 'samples', 'checkpoints']);
  });
});

describe('startRetention', () => {
  it('works at once and then daily until it is stopped', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const { context, log, has } = homeAfter(29, 30);
      const retention = startRetention(context, log);
      await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1));
      expect(has('runs/run-1')).toBe(true);
      context.clock.at = new Date(begin.getTime() + 31 * 24 * 3600 * 1000);
      await vi.waitFor(
        () => {
          vi.advanceTimersByTime(24 * 3600 * 1000);
          expect(has('runs/run-1')).toBe(false);
        },
        { timeout: 5000 },
      );
      retention.stop();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('sets no timer where nothing is to be deleted', () => {
    const { context, log } = homeAfter(31, null);
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      startRetention(context, log).stop();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
