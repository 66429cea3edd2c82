import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { openStore } from '../../../src/core/store.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { RunStore } from '../../../src/train/run-store.ts';

const recipe = await resolveRecipe({ preset: 'smoke' });

function newRuns(...ids: string[]): RunStore {
  const runs = new RunStore(openStore(':memory:'), systemClock);
  for (const id of ids) runs.add(id, recipe, null);
  return runs;
}

describe('RunSlots', () => {
  it('gives the lowest free slots, and a queued run no others than it needs', () => {
    const runs = newRuns('a', 'b', 'c', 'd');
    expect(runs.slots.take('a', 1, 4)).toEqual([0]);
    expect(runs.slots.take('b', 2, 4)).toEqual([1, 2]);
    expect(runs.slots.take('c', 2, 4)).toBeUndefined();
    expect(runs.get('c').state).toBe('queued');
    runs.slots.release('a');
    expect(runs.slots.take('c', 2, 4)).toEqual([0, 3]);
    expect(runs.get('c').state).toBe('preparing');
    expect(runs.slots.take('d', 1, 4)).toBeUndefined();
  });

  it('gives nothing to a run that is not queued any more', () => {
    const runs = newRuns('a');
    runs.setState('a', 'cancelled');
    expect(runs.slots.take('a', 1, 1)).toBeUndefined();
    expect([runs.get('a').state, runs.slots.holders('local')]).toEqual(['cancelled', []]);
  });

  it('counts those of each launcher apart', () => {
    const runs = newRuns('a');
    runs.add('b', recipe, null, { launcher: 'gpu-host' });
    expect([runs.slots.take('a', 1, 1), runs.slots.take('b', 1, 1)]).toEqual([[0], [0]]);
    const trainer = { kind: 'local' as const, pid: 7, startedAt: '2026-11-24T09:00:00Z' };
    runs.setTrainer('a', trainer);
    expect(runs.slots.holders('local')).toEqual([{ id: 'a', trainer }]);
    expect(runs.slots.holders('gpu-host')).toEqual([{ id: 'b', trainer: null }]);
  });

  it('is not overbooked where a machine has fewer slots than before', () => {
    const runs = newRuns('a', 'b');
    expect(runs.slots.take('a', 2, 2)).toEqual([0, 1]);
    expect(runs.slots.take('b', 1, 1)).toBeUndefined();
  });

  it('takes back slots and trainer, and queues the run where it was', () => {
    const runs = newRuns('a', 'b');
    runs.slots.take('a', 1, 1);
    runs.setTrainer('a', { kind: 'local', pid: 7, startedAt: '2026-11-24T09:00:00Z' });
    runs.slots.giveBack('a');
    expect(runs.get('a')).toMatchObject({ state: 'queued', trainer: null, runsBefore: 0 });
    expect(runs.get('b').runsBefore).toBe(1);
  });
});
