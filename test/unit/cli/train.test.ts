import { describe, expect, it } from 'vitest';
import { recipeOf } from '../../../src/cli/train.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { errorOf } from '../../support/error-of.ts';

describe('recipeOf', () => {
  it('is the preset where nothing else is said', async () => {
    for (const preset of ['smoke', 'tutorial', 'recommended'])
      expect(await recipeOf({ preset, set: [] })).toEqual(await resolveRecipe({ preset }));
  });

  it('takes data, base and template from their flags', async () => {
    const preset = await resolveRecipe({ preset: 'smoke' });
    expect(await recipeOf({ preset: 'smoke', data: 'rows.jsonl', base: 'owner/name', template: 'mine.jinja', set: [] })).toEqual({
      ...preset,
      template: 'mine.jinja',
      data: { ...preset.data, ref: 'rows.jsonl' },
      base: { ...preset.base, ref: 'owner/name' },
    });
  });

  it('keeps a name that reads as JSON what it is: text', async () => {
    const recipe = await recipeOf({ preset: 'smoke', data: '2024', base: 'null', set: [] });
    expect([recipe.data.ref, recipe.base.ref]).toEqual(['2024', 'null']);
  });

  it('lets --set win over a flag', async () => {
    const recipe = await recipeOf({ preset: 'smoke', data: 'a.jsonl', set: ['data.ref=b.jsonl', 'trainer.maxSteps=3'] });
    expect([recipe.data.ref, recipe.trainer.maxSteps]).toEqual(['b.jsonl', 3]);
  });

  it('reports a wrong preset, assignment or field', async () => {
    const codeOf = async (preset: string, set: string[]): Promise<string> => (await errorOf(() => recipeOf({ preset, set }))).code;
    expect(await codeOf('none', [])).toBe('OSLER_ERR_RECIPE_PRESET_UNKNOWN');
    expect(await codeOf('smoke', ['trainer.maxSteps'])).toBe('OSLER_ERR_RECIPE_INVALID');
    expect(await codeOf('smoke', ['trainer.steps=3'])).toBe('OSLER_ERR_RECIPE_INVALID');
  });
});
