import type { Recipe } from '../../src/core/schema/recipe.ts';
import type { Run } from '../../src/core/schema/run.ts';

const at = '2026-11-24T10:00:00.000Z';

/** A run of this machine that is done, in the store's form. */
export function storedRun(recipe: Recipe, changes: Partial<Run> = {}): Run {
  return {
    id: 'run-1',
    state: 'done',
    recipe,
    launcher: 'local',
    isDryRun: false,
    runsBefore: null,
    error: null,
    trainer: null,
    createdAt: at,
    updatedAt: at,
    ...changes,
  };
}
