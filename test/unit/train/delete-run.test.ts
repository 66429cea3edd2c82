import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { tryLockFolder } from '../../../src/core/folder-lock.ts';
import type { RunState } from '../../../src/core/schema/run.ts';
import { openStore } from '../../../src/core/store.ts';
import { deleteRun } from '../../../src/train/delete-run.ts';
import { LocalLauncher } from '../../../src/train/launchers/local-launcher.ts';
import { ModelStore, type StoredModel } from '../../../src/train/model-store.ts';
import { noteRemoteCopy } from '../../../src/train/remote-copy.ts';
import { listOldCheckpoints, listOldRuns } from '../../../src/train/old-runs.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { RunStore } from '../../../src/train/run-store.ts';
import { errorOf } from '../../support/error-of.ts';
import { changedLauncher } from '../../support/fake-trainings.ts';
import { FixedClock } from '../../support/fixed-clock.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const recipe = await resolveRecipe({ preset: 'smoke' });

function newHome() {
  const home = temporaryFolder();
  const clock = new FixedClock('2026-11-24T10:00:00Z');
  const database = openStore(':memory:');
  const local = new LocalLauncher({ python: async () => 'python3' });
  const deps = { home, runs: new RunStore(database, clock), models: new ModelStore(database), launcher: async () => local };
  /** A run in a state, with files, checkpoints and a model. */
  const add = (id: string, state: RunState, status: StoredModel['status'] = 'candidate'): void => {
    deps.runs.add(id, recipe, null);
    deps.runs.setState(id, state);
    const folder = runFolder(home, id);
    for (const name of ['train.jsonl', 'outputs/checkpoint-2/optimizer.pt', 'outputs-before-17/checkpoint-1/optimizer.pt']) {
      mkdirSync(path.dirname(path.join(folder.root, name)), { recursive: true });
      writeFileSync(path.join(folder.root, name), Buffer.alloc(100));
    }
    deps.models.put({
      id,
      runId: id,
      baseRef: 'base',
      transformersDir: folder.merged,
      ggufFile: folder.gguf('q8_0'),
      ggufSha256: null,
      templateFile: folder.template,
      status,
      createdAt: clock.now().toISOString(),
    });
  };
  return { ...deps, deps, clock, add };
}

describe('deleteRun', () => {
  it('deletes the folder, the run and all models that it made, and nothing else', async () => {
    const { deps, home, runs, models, add } = newHome();
    add('run-1', 'done');
    add('run-2', 'done');
    const smaller = models.find('run-1');
    if (smaller !== undefined) models.put({ ...smaller, id: 'run-1-q4' });
    expect(await deleteRun(deps, 'run-1')).toBe(300);
    expect(readdirSync(path.join(home, 'runs'))).toEqual(['run-2']);
    expect(runs.list().map((run) => run.id)).toEqual(['run-2']);
    expect(models.list().map((model) => model.id)).toEqual(['run-2']);
  });

  it.each(['failed', 'stopped', 'cancelled'] as const)('deletes a run that is %s', async (state) => {
    const { deps, runs, add } = newHome();
    add('run-1', state);
    await deleteRun(deps, 'run-1');
    expect(runs.list()).toEqual([]);
  });

  it('deletes what is left of a run that has no folder any more', async () => {
    const { deps, runs } = newHome();
    runs.add('run-1', recipe, null);
    runs.setState('run-1', 'failed');
    expect(await deleteRun(deps, 'run-1')).toBe(0);
    expect(runs.list()).toEqual([]);
  });

  it('says that there is no such run', async () => {
    expect((await errorOf(async () => await deleteRun(newHome().deps, '../..'))).code).toBe('OSLER_ERR_NOT_FOUND');
  });

  it('keeps a run whose model is promoted, unless told otherwise', async () => {
    const { deps, home, runs, models, add } = newHome();
    add('run-1', 'done', 'promoted');
    const error = await errorOf(async () => await deleteRun(deps, 'run-1'));
    expect(error.code).toBe('OSLER_ERR_RUN_STATE');
    expect(error.message).toContain('promoted');
    expect(existsSync(runFolder(home, 'run-1').root)).toBe(true);
    await deleteRun(deps, 'run-1', { isPromotedToo: true });
    expect([...runs.list(), ...models.list()]).toEqual([]);
  });

  it('keeps a run that a process works on, whatever its state says', async () => {
    const { deps, home, runs, add } = newHome();
    add('run-1', 'done');
    const unlock = tryLockFolder(runFolder(home, 'run-1').root);
    expect((await errorOf(async () => await deleteRun(deps, 'run-1'))).message).toContain('at work');
    expect(runs.list()).toHaveLength(1);
    unlock?.();
    await deleteRun(deps, 'run-1');
  });

  it.skipIf(process.platform !== 'linux')('keeps a run whose trainer lives on, and deletes it once that is gone', async () => {
    const { deps, home, runs, add } = newHome();
    add('run-1', 'training');
    const { job } = runFolder(home, 'run-1');
    const trainer = spawn(process.execPath, ['-e', 'process.stdout.write("up"); setInterval(() => {}, 1000)', 'osler_trainer', job]);
    await once(trainer.stdout, 'data');
    runs.setTrainer('run-1', { kind: 'local', pid: trainer.pid ?? 0, startedAt: '2026-11-24T10:00:00.000Z' });
    expect((await errorOf(async () => await deleteRun(deps, 'run-1'))).message).toContain('at work');
    expect(existsSync(job.replace('job.json', 'train.jsonl'))).toBe(true);
    trainer.kill('SIGKILL');
    await once(trainer, 'exit');
    // A machine that lost power leaves a run in this state for good.
    await deleteRun(deps, 'run-1');
    expect(runs.list()).toEqual([]);
  });
});

describe('what another machine holds of a run', () => {
  /** A home whose runs were trained by a launcher that removes, does not remove, or fails. */
  function remoteHome(clean: () => Promise<boolean>) {
    const home = newHome();
    const cleaned: string[] = [];
    const far = changedLauncher(new LocalLauncher({ python: async () => 'python3' }), {
      clean: async (folder) => {
        cleaned.push(path.basename(folder.root));
        return await clean();
      },
    });
    const notices: string[] = [];
    const deps = { ...home.deps, launcher: async () => far, onNotice: (notice: string) => void notices.push(notice) };
    const addRemote = async (id: string, state: RunState, isFetched: boolean): Promise<void> => {
      home.add(id, state);
      await noteRemoteCopy(runFolder(home.home, id), far, null, isFetched);
    };
    return { ...home, deps, addRemote, cleaned, notices };
  }

  it('goes with a run that is deleted, fetched or not', async () => {
    const { deps, addRemote, cleaned, notices } = remoteHome(async () => true);
    await addRemote('run-1', 'done', true);
    await addRemote('run-2', 'cancelled', false);
    for (const id of ['run-1', 'run-2']) await deleteRun(deps, id);
    expect([cleaned, notices]).toEqual([['run-1', 'run-2'], []]);
  });

  it.each([
    ['is away', async () => await Promise.reject(new Error('no route to host'))],
    ['does not remove it', async () => false],
  ])('is told of, and keeps no run from being deleted, where the machine %s', async (_what, clean) => {
    const { deps, addRemote, runs, notices } = remoteHome(clean);
    await addRemote('run-1', 'done', true);
    await deleteRun(deps, 'run-1');
    expect(runs.list()).toEqual([]);
    expect(notices).toEqual([expect.stringMatching(/"runs\/run-1" of launcher "local" was not removed: .*by hand/)]);
  });

  it('goes with the checkpoints of a run that is done, and only if all of it was fetched', async () => {
    const { deps, addRemote, cleaned, clock, home } = remoteHome(async () => true);
    const states = ['done', 'failed', 'stopped', 'cancelled', 'training'] as const;
    for (const state of states) for (const isFetched of [true, false]) await addRemote(`run-${state}-${isFetched}`, state, isFetched);
    clock.at = new Date('2026-12-24T10:00:00Z');
    const items = await listOldCheckpoints(deps, clock.at);
    expect(cleaned).toEqual([]);
    for (const item of items) await item.remove();
    expect(cleaned).toEqual(['run-done-true']);
    expect(existsSync(runFolder(home, 'run-done-true').remote)).toBe(false);
    expect(existsSync(runFolder(home, 'run-done-false').remote)).toBe(true);
  });
});

describe('listOldRuns', () => {
  it('lists runs that ended before, without those at work and those whose model is promoted', async () => {
    const { deps, runs, clock, add } = newHome();
    for (const state of ['done', 'failed', 'stopped', 'cancelled', 'training', 'preparing', 'converting'] as const)
      add(`run-${state}`, state);
    add('run-promoted', 'done', 'promoted');
    clock.at = new Date('2026-12-24T10:00:00Z');
    add('run-new', 'done');
    const before = new Date('2026-12-01T00:00:00Z');
    const found = await listOldRuns(deps, before);
    expect(found.map(({ name }) => name).toSorted()).toEqual(['run-cancelled', 'run-done', 'run-failed', 'run-stopped']);
    expect(found.every(({ bytes }) => bytes === 300)).toBe(true);
    for (const item of found) await item.remove();
    expect(await listOldRuns(deps, before)).toEqual([]);
    expect(runs.list()).toHaveLength(5);
  });
});

describe('listOldCheckpoints', () => {
  it('lists those of runs that cannot be resumed, and removes nothing but them', async () => {
    const { deps, home, runs, clock, add } = newHome();
    for (const state of ['done', 'failed', 'stopped', 'cancelled', 'training'] as const) add(`run-${state}`, state);
    add('run-promoted', 'done', 'promoted');
    clock.at = new Date('2026-12-24T10:00:00Z');
    add('run-new', 'done');
    const found = await listOldCheckpoints(deps, new Date('2026-12-01T00:00:00Z'));
    expect(Object.fromEntries(found.map(({ name, bytes }) => [name, bytes]))).toEqual({
      'run-cancelled': 200,
      'run-done': 200,
      'run-promoted': 200,
    });
    for (const item of found) await item.remove();
    expect(readdirSync(runFolder(home, 'run-done').root)).toEqual(['train.jsonl']);
    expect(existsSync(path.join(runFolder(home, 'run-stopped').root, 'outputs'))).toBe(true);
    expect(runs.list()).toHaveLength(7);
  });
});
