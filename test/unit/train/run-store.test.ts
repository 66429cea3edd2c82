import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { migrations } from '../../../src/core/migrations.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { isEnded, RunState } from '../../../src/core/schema/run.ts';
import { openStore } from '../../../src/core/store.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { RunStore } from '../../../src/train/run-store.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const recipe = await resolveRecipe({ preset: 'smoke' });

/** A clock that a test sets. */
class TestClock implements Clock {
  at = new Date('2026-11-23T10:00:00.000Z');
  now(): Date {
    return this.at;
  }
  monotonicSeconds(): number {
    return this.at.getTime() / 1000;
  }
}

function newStore(): { runs: RunStore; clock: TestClock } {
  const clock = new TestClock();
  return { runs: new RunStore(openStore(':memory:'), clock), clock };
}

describe('RunStore', () => {
  it('adds a run that waits, with its recipe whole', () => {
    const { runs } = newStore();
    const { run, isNew } = runs.add('run-1', recipe, null);
    expect(isNew).toBe(true);
    expect(run).toEqual({
      id: 'run-1',
      state: 'queued',
      recipe,
      launcher: 'local',
      isDryRun: false,
      runsBefore: 0,
      error: null,
      trainer: null,
      createdAt: '2026-11-23T10:00:00.000Z',
      updatedAt: '2026-11-23T10:00:00.000Z',
    });
    expect(runs.get('run-1')).toEqual(run);
  });

  it('gives the same run for the same idempotency key, whatever else is asked for', () => {
    const { runs } = newStore();
    runs.add('run-1', recipe, 'key');
    const again = runs.add('run-2', { ...recipe, name: 'other' }, 'key');
    expect(again).toMatchObject({ isNew: false, run: { id: 'run-1', recipe: { name: 'smoke' } } });
    expect(runs.list()).toHaveLength(1);
  });

  it('adds a run each time for other keys and without one', () => {
    const { runs } = newStore();
    for (const [id, key] of [
      ['run-1', 'a'],
      ['run-2', 'b'],
      ['run-3', null],
      ['run-4', null],
    ] as const)
      expect(runs.add(id, recipe, key).isNew).toBe(true);
    expect(runs.list()).toHaveLength(4);
  });

  it('refuses an id that is taken', () => {
    const { runs } = newStore();
    runs.add('run-1', recipe, null);
    expect(() => runs.add('run-1', recipe, 'key')).toThrow(/UNIQUE/);
  });

  it('keeps state, error and trainer, and when they changed', () => {
    const { runs, clock } = newStore();
    runs.add('run-1', recipe, null);
    clock.at = new Date('2026-11-23T11:00:00.000Z');
    const trainer = { kind: 'local' as const, pid: 4711, startedAt: '2026-11-23T11:00:00.000Z' };
    runs.setTrainer('run-1', trainer);
    runs.setState('run-1', 'failed', 'out of memory');
    expect(runs.get('run-1')).toMatchObject({
      state: 'failed',
      error: 'out of memory',
      trainer,
      createdAt: '2026-11-23T10:00:00.000Z',
      updatedAt: '2026-11-23T11:00:00.000Z',
    });
    runs.setState('run-1', 'training');
    runs.setTrainer('run-1', null);
    expect(runs.get('run-1')).toMatchObject({ state: 'training', error: null, trainer: null });
  });

  it.each(RunState.options)('keeps the state %s', (state) => {
    const { runs } = newStore();
    runs.add('run-1', recipe, null);
    runs.setState('run-1', state);
    expect(runs.get('run-1').state).toBe(state);
  });

  it('never writes over a run that is done or cancelled', () => {
    const { runs } = newStore();
    for (const state of ['done', 'cancelled'] as const) {
      runs.add(`run-${state}`, recipe, null);
      expect(runs.setState(`run-${state}`, state)).toBe(true);
      for (const other of RunState.options) expect(runs.setState(`run-${state}`, other, 'late')).toBe(false);
      expect(runs.requeue(`run-${state}`)).toBe(false);
      runs.slots.giveBack(`run-${state}`);
      expect(runs.get(`run-${state}`)).toMatchObject({ state, error: null });
    }
  });

  it('moves a run on from the states named, and from no other', () => {
    const { runs } = newStore();
    runs.add('run-1', recipe, null);
    expect(runs.moveState('run-1', ['training', 'merging'], 'converting')).toBe(false);
    expect(runs.moveState('run-1', ['queued'], 'training')).toBe(true);
    expect(runs.get('run-1').state).toBe('training');
  });

  it('keeps what is asked of a run until it is queued again', () => {
    const { runs } = newStore();
    runs.add('run-1', recipe, null);
    expect(runs.wishOf('run-1')).toBeNull();
    runs.wantStop('run-1');
    expect(runs.wishOf('run-1')).toBe('stop');
    runs.setState('run-1', 'stopped');
    expect(runs.requeue('run-1')).toBe(true);
    expect([runs.wishOf('run-1'), runs.get('run-1').state]).toEqual([null, 'queued']);
    runs.setState('run-1', 'cancelled');
    expect(runs.wishOf('run-1')).toBe('cancel');
  });

  it('counts who comes before, by when they were queued, at one launcher', () => {
    const { runs, clock } = newStore();
    const before = (): (number | null)[] => ['b', 'a', 'other', 'c'].map((id) => runs.get(id).runsBefore);
    // Two of one moment: as they came, not by name.
    for (const id of ['b', 'a']) runs.add(id, recipe, null);
    runs.add('other', recipe, null, { launcher: 'gpu-host' });
    runs.add('c', recipe, null);
    expect(before()).toEqual([0, 1, 0, 2]);
    expect(runs.slots.queuedBefore('c')).toEqual(['b', 'a']);
    runs.setState('b', 'failed');
    clock.at = new Date('2026-11-23T11:00:00.000Z');
    runs.requeue('b');
    expect(before()).toEqual([2, 0, 0, 1]);
  });

  it('does all of some changes or none', () => {
    const { runs } = newStore();
    runs.add('run-1', recipe, null);
    const broken = (): void =>
      runs.inTransaction(() => {
        runs.setState('run-1', 'done');
        throw new Error('broken');
      });
    expect(broken).toThrow('broken');
    expect(runs.get('run-1').state).toBe('queued');
  });

  it('lists the newest first, also within one moment', () => {
    const { runs, clock } = newStore();
    for (const id of ['run-b', 'run-a', 'run-c']) runs.add(id, recipe, null);
    clock.at = new Date('2026-11-24T00:00:00.000Z');
    runs.add('run-0', recipe, null);
    clock.at = new Date('2026-11-22T00:00:00.000Z');
    runs.add('run-z', recipe, null);
    expect(runs.list().map(({ id }) => id)).toEqual(['run-0', 'run-c', 'run-a', 'run-b', 'run-z']);
  });

  it('says which run is not there', async () => {
    const error = await errorOf(() => newStore().runs.get('run-9'));
    expect([error.code, error.message]).toEqual(['OSLER_ERR_NOT_FOUND', 'There is no run "run-9".']);
  });

  it('reads a run of the release before, in the place of the queue that it was created in', () => {
    const home = temporaryFolder();
    const old = new DatabaseSync(path.join(home, 'osler.sqlite'));
    old.exec(`${migrations.slice(0, 3).join(';')}; PRAGMA user_version = 3`);
    const insert = old.prepare("INSERT INTO runs (id, state, recipe, created_at, updated_at) VALUES (?, 'queued', ?, ?, ?)");
    for (const [id, at] of [
      ['run-2', '2026-11-23T10:00:01.000Z'],
      ['run-1', '2026-11-23T10:00:00.000Z'],
    ] as const)
      insert.run(id, JSON.stringify(recipe), at, at);
    old.close();
    const database = openStore(home);
    const runs = new RunStore(database, new TestClock());
    expect(runs.get('run-2')).toMatchObject({ isDryRun: false, runsBefore: 1, launcher: 'local' });
    expect([runs.wishOf('run-2'), runs.eventsFrom('run-2')]).toEqual([null, 0]);
    database.close();
  });

  it('finds a run again in another process', () => {
    const home = temporaryFolder();
    const first = openStore(home);
    new RunStore(first, new TestClock()).add('run-1', recipe, 'key');
    first.close();
    const second = openStore(home);
    expect(new RunStore(second, new TestClock()).add('run-2', recipe, 'key')).toMatchObject({ isNew: false, run: { id: 'run-1' } });
    second.close();
  });
});

describe('isEnded', () => {
  it('is true of the states in which nothing more happens by itself', () => {
    expect(RunState.options.filter(isEnded)).toEqual(['done', 'failed', 'stopped', 'cancelled']);
  });
});
