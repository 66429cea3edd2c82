import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createBackup } from '../../../src/core/backup/create-backup.ts';
import { runOsler } from '../support/cli.ts';
import { keptHome, patientText, storeOf } from '../support/kept-home.ts';

describe('osler backup', () => {
  it('goes there and back, into a home of another path, with the models’ paths moved along', async () => {
    const { home, folder } = await keptHome({ 'run-1': 'done' });
    const target = path.join(folder, 'backup');
    const made = await runOsler(['backup', '--to', target, '--with-models'], { home });
    expect(made.exitCode, made.stderr).toBe(0);
    expect(made.stdout).toContain(`npx osler backup verify ${target}`);
    const other = path.join(folder, 'other');
    const restored = await runOsler(['backup', 'restore', target, '--json'], { home: other, cwd: folder });
    expect(restored.exitCode, restored.stderr).toBe(0);
    expect(JSON.parse(restored.stdout)).toMatchObject({ home: other, stoppedRuns: [], modelsWithoutWeights: [] });
    const { runs, models } = storeOf(other);
    expect(runs.get('run-1').state).toBe('done');
    expect(models.find('run-1')?.ggufFile).toBe(path.join(other, 'runs/run-1/merged-q8_0.gguf'));
    expect(models.listWithoutFiles()).toEqual([]);
    expect(existsSync(path.join(other, 'evaluations/eval-1/samples.jsonl'))).toBe(true);
    for (const { stdout, stderr } of [made, restored]) expect(stdout + stderr).not.toContain(patientText);
  });

  it('goes into OSLER_HOME by default, without weights, and says which models lack them', async () => {
    const { home, folder } = await keptHome({ 'run-1': 'done', 'run-2': 'training' });
    const made = JSON.parse((await runOsler(['backup', '--json'], { home })).stdout);
    expect(path.dirname(made.folder)).toBe(path.join(home, 'backups'));
    const other = path.join(folder, 'other');
    const restored = await runOsler(['backup', 'restore', made.folder], { home: other, cwd: folder });
    expect(restored.stdout).toContain('Registered without their weights, which the backup does not hold: run-1, run-2');
    // What was at work elsewhere is not at work here, and a server must not take it up unasked.
    expect(restored.stdout).toContain('run-2. Go on with: npx osler train --resume');
    expect(storeOf(other).runs.get('run-2')).toMatchObject({ state: 'stopped', trainer: null });
  });

  it('says whether a backup is sound, and ends with 2 where it is not or the home is in use', async () => {
    const { home, folder } = await keptHome({ 'run-1': 'done' });
    const target = path.join(folder, 'backup');
    await createBackup({ home, target, hasModels: false, now: new Date(), oslerVersion: '1' });
    expect((await runOsler(['backup', 'verify', target], { home })).stdout).toMatch(/^Sound: \d+ files/);
    const inUse = await runOsler(['backup', 'restore', target], { home });
    expect(inUse).toMatchObject({ exitCode: 2, stdout: '' });
    expect(inUse.stderr).toContain('[OSLER_ERR_BACKUP_TARGET]');
    await writeFile(path.join(target, 'runs/run-1/train.jsonl'), 'other');
    const unsound = await runOsler(['backup', 'verify', target], { home });
    expect(unsound).toMatchObject({ exitCode: 2, stdout: '' });
    expect(unsound.stderr).toContain('"runs/run-1/train.jsonl" has 5 bytes');
  });

  it('ends with 2 where there is nothing to back up, and makes no home of it', async () => {
    const { folder } = await keptHome({});
    const home = path.join(folder, 'none');
    const result = await runOsler(['backup', '--to', path.join(folder, 'backup')], { home, cwd: folder });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('osler.sqlite');
    expect((await readdir(folder)).toSorted()).toEqual(['home']);
  });
});

describe('osler with a store it cannot use', () => {
  it('ends with 3 and the way out where it is damaged', async () => {
    const { home } = await keptHome({});
    await writeFile(path.join(home, 'osler.sqlite'), 'no database, though it is longer than the hundred bytes of its header. '.repeat(3));
    const result = await runOsler(['runs'], { home });
    expect(result).toMatchObject({ exitCode: 3, stdout: '' });
    expect(result.stderr).toContain('[OSLER_ERR_STORE_CORRUPT]');
    expect(result.stderr).not.toMatch(/^ +at /m);
  });

  it('ends with 2 where the home is a file', async () => {
    const { folder } = await keptHome({});
    const home = path.join(folder, 'file');
    await writeFile(home, '');
    const result = await runOsler(['runs'], { home, cwd: folder });
    expect(result).toMatchObject({ exitCode: 2, stdout: '' });
    expect(result.stderr).toContain('[OSLER_ERR_FILE_UNUSABLE]');
  });
});
