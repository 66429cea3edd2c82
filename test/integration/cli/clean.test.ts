import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { tryLockFolder } from '../../../src/core/folder-lock.ts';
import { runOsler } from '../support/cli.ts';
import { keptHome, patientText, storeOf } from '../support/kept-home.ts';

describe('osler runs delete', () => {
  it('deletes a run and its model', async () => {
    const { home } = await keptHome({ 'run-1': 'done', 'run-2': 'failed' });
    const result = await runOsler(['runs', 'delete', 'run-1'], { home });
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stdout).toMatch(/^Deleted run-1 \(/);
    expect(await readdir(path.join(home, 'runs'))).toEqual(['run-2']);
    const { runs, models } = storeOf(home);
    expect([runs.list().map((run) => run.id), models.list().map((model) => model.id)]).toEqual([['run-2'], ['run-2']]);
  });

  it('refuses one that a process works on, and one whose model is promoted', async () => {
    const { home } = await keptHome({ 'run-1': 'done' }, 'promoted');
    const promoted = await runOsler(['runs', 'delete', 'run-1'], { home });
    expect(promoted).toMatchObject({ exitCode: 2, stdout: '' });
    expect(promoted.stderr).toContain('--promoted-too');
    const unlock = tryLockFolder(path.join(home, 'runs/run-1'));
    const busy = await runOsler(['runs', 'delete', 'run-1', '--promoted-too'], { home });
    unlock?.();
    expect(busy).toMatchObject({ exitCode: 2, stdout: '' });
    expect(busy.stderr).toContain('at work');
    expect(existsSync(path.join(home, 'runs/run-1/train.jsonl'))).toBe(true);
  });
});

describe('osler clean', () => {
  it('shows what it would remove with its size, and removes nothing', async () => {
    const { home } = await keptHome({ 'run-1': 'done' });
    const result = await runOsler(['clean', '--dry-run', '--what', 'samples,runs'], { home });
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stdout).toMatch(/^samples +\d+ B +2026-01-01 +eval-1$/m);
    expect(result.stdout).toMatch(/^runs +\d+ B +2026-01-01 +run-1$/m);
    expect(result.stdout).toMatch(/^Would remove: samples: 1 \(\d+ B\), runs: 1 \(\d+ B\); conversations: none are stored$/m);
    expect(result.stdout).not.toContain(patientText);
    expect(existsSync(path.join(home, 'runs/run-1/train.jsonl'))).toBe(true);
    expect(existsSync(path.join(home, 'evaluations/eval-1/samples.jsonl'))).toBe(true);
  });

  it('removes by default only what can be made again', async () => {
    const { home } = await keptHome({ 'run-1': 'done', 'run-2': 'stopped' });
    const result = await runOsler(['clean', '--json'], { home });
    expect(JSON.parse(result.stdout)).toMatchObject({ isDryRun: false, removed: [{ kind: 'checkpoints', name: 'run-1' }], kept: [] });
    expect(existsSync(path.join(home, 'runs/run-1/outputs'))).toBe(false);
    expect(existsSync(path.join(home, 'runs/run-1/merged-q8_0.gguf'))).toBe(true);
    expect(existsSync(path.join(home, 'runs/run-2/outputs'))).toBe(true);
    expect(existsSync(path.join(home, 'evaluations/eval-1/samples.jsonl'))).toBe(true);
  });

  it('removes runs and texts where they are named, and ends with 1 where one is in use', async () => {
    const { home } = await keptHome({ 'run-1': 'done', 'run-2': 'cancelled' });
    const unlock = tryLockFolder(path.join(home, 'runs/run-2'));
    const result = await runOsler(['clean', '--what', 'runs,samples', '--older-than', '1d'], { home });
    unlock?.();
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toMatch(/run-2 +kept: .*at work/);
    expect(await readdir(path.join(home, 'runs'))).toEqual(['run-2']);
    expect(await readdir(path.join(home, 'evaluations/eval-1'))).toEqual(['report.json']);
  });
});
