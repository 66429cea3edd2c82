import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { tryLockFolder } from '../../../src/core/folder-lock.ts';
import { ProgressWriter, readEvaluationProgress } from '../../../src/eval/evaluation-progress.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

it('tells of evaluations that a process works on, and of no others', async () => {
  const home = temporaryFolder();
  const root = path.join(home, 'evaluations');
  for (const name of ['working', 'killed', 'ended']) await mkdir(path.join(root, name), { recursive: true });
  const writers = new Map(['working', 'killed', 'ended'].map((name) => [name, new ProgressWriter(path.join(root, name))]));
  for (const writer of writers.values()) {
    writer.update(3, 20);
    // Too soon after the first to be written.
    writer.update(4, 20);
  }
  await writers.get('ended')?.end();
  const unlock = tryLockFolder(path.join(root, 'working'));
  await expect.poll(async () => await readEvaluationProgress(home)).toEqual([{ evaluation: 'working', done: 3, total: 20 }]);
  unlock?.();
  expect(await readEvaluationProgress(home)).toEqual([]);
  expect(await readdir(path.join(root, 'ended'))).toEqual([]);
});

it('is nothing where there is no such folder', async () => {
  expect(await readEvaluationProgress('/nowhere')).toEqual([]);
});
