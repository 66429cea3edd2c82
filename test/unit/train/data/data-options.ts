import type { Recipe } from '../../../../src/core/schema/recipe.ts';

/** Settings of rows for tests: everything is trained on. */
export function dataOptions(changes: Partial<Recipe['data']> = {}): Recipe['data'] {
  return {
    ref: 'rows.jsonl',
    revision: null,
    config: null,
    split: 'train',
    offset: 0,
    limit: null,
    heldOutRows: 0,
    heldOutSeed: null,
    deduplicate: false,
    columns: { question: 'Question', thought: 'Complex_CoT', answer: 'Response' },
    ...changes,
  };
}
