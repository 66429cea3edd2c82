import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TrainingCheck } from '../../../src/core/schema/training-check.ts';
import type { CheckedInput } from '../../../src/train/freeze-input.ts';
import { runFiles } from '../../../src/train/run-folder.ts';
import { readSource } from '../../../src/train/run-source.ts';
import { fakeTrainings } from '../../support/fake-trainings.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const check: TrainingCheck = { schemaVersion: 1, findings: [], data: null, host: null };

/** What a check leaves, of rows that stand in no data set. */
async function checkedInput(): Promise<CheckedInput> {
  const folder = runFiles(path.join(temporaryFolder(), 'check'));
  await mkdir(folder.root);
  await writeFile(folder.trainRows, 'rows\n');
  await writeFile(folder.heldOutRows, '');
  await writeFile(folder.template, 'template');
  const source: CheckedInput['source'] = {
    ref: 'rows.jsonl',
    revision: null,
    sha256: 'a'.repeat(64),
    trainRows: 1,
    heldOutRows: 0,
    licence: null,
    files: [],
    sourceRows: 1,
    columns: {},
    dropped: { duplicates: [], heldOutTrained: [], heldOutTwice: [] },
    notes: [],
  };
  return { folder, source, check };
}

describe('a run that was checked', () => {
  it('has its rows, its template and the check, before anybody works on it', async () => {
    const { trainings, recipe } = await fakeTrainings();
    const checked = await checkedInput();
    const { run, isNew } = await trainings.createChecked(recipe, checked, null, {});
    expect([run.state, isNew]).toEqual(['queued', true]);
    const folder = trainings.folder(run.id);
    expect([await readFile(folder.trainRows, 'utf8'), await readFile(folder.template, 'utf8')]).toEqual(['rows\n', 'template']);
    expect(await readSource(folder)).toMatchObject({ data: checked.source, base: { ref: recipe.base.ref } });
    expect(await trainings.checkOf(run.id)).toEqual(check);
  });

  it('is made once for a key, and the second leaves nothing behind', async () => {
    const { trainings, recipe, home } = await fakeTrainings();
    const first = await trainings.createChecked(recipe, await checkedInput(), 'key', {});
    const second = await trainings.createChecked(recipe, await checkedInput(), 'key', {});
    expect(second).toEqual({ run: first.run, isNew: false });
    expect(await readdir(path.join(home, 'runs'))).toEqual([first.run.id]);
    expect(trainings.findByKey('key')?.id).toBe(first.run.id);
    expect(trainings.findByKey('other')).toBe(undefined);
  });

  it('is none where its rows cannot be kept', async () => {
    const { trainings, recipe, home } = await fakeTrainings();
    const checked = await checkedInput();
    const gone = { ...checked, folder: { ...checked.folder, template: path.join(home, 'none') } };
    await expect(trainings.createChecked(recipe, gone, null, {})).rejects.toThrow('ENOENT');
    expect([trainings.list(), await readdir(path.join(home, 'runs'))]).toEqual([[], []]);
  });
});
