import { mkdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { openStore } from '../../../src/core/store.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { isWorkedOn, lockRun, tryLockRun } from '../../../src/train/run-lock.ts';
import { RunStore } from '../../../src/train/run-store.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const { run } = new RunStore(openStore(':memory:'), systemClock).add('run-1', await resolveRecipe({ preset: 'smoke' }), null);

describe('the lock of a run', () => {
  it('is held by one, who makes the folder, and by nobody once that one lets go', async () => {
    const folder = runFolder(temporaryFolder(), 'run-1');
    expect(isWorkedOn(folder)).toBe(false);
    const unlock = await lockRun(run, folder);
    expect([isWorkedOn(folder), tryLockRun(folder)]).toEqual([true, undefined]);
    unlock();
    expect(isWorkedOn(folder)).toBe(false);
  });

  it('is waited for a moment, since others look whether it is held', async () => {
    const folder = runFolder(temporaryFolder(), 'run-1');
    mkdirSync(folder.root, { recursive: true });
    const looking = tryLockRun(folder);
    setTimeout(() => looking?.(), 300);
    const unlock = await lockRun(run, folder);
    expect(isWorkedOn(folder)).toBe(true);
    unlock();
  });

  it('is refused where another process works on the run', async () => {
    const folder = runFolder(temporaryFolder(), 'run-1');
    const unlock = await lockRun(run, folder);
    const error = await errorOf(async () => await lockRun(run, folder));
    expect(error.code).toBe('OSLER_ERR_RUN_STATE');
    expect(error.message).toContain('npx osler runs show run-1 --follow');
    unlock();
  });
});
