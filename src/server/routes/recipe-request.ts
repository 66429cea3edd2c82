import { z } from 'zod';
import type { Recipe } from '../../core/schema/recipe.ts';
import { recipeSettings } from '../../train/recipe-settings.ts';
import { resolveRecipe } from '../../train/recipe.ts';
import { checkServicePaths } from '../service-paths.ts';

/** The fields of a body that say what to train, and where: a preset and what to change in it. */
export const RecipeRequest = z.strictObject({
  preset: z.string().min(1).default('smoke'),
  data: z.string().min(1).optional(),
  split: z.string().min(1).optional().describe('such as train[0:500]'),
  base: z.string().min(1).optional(),
  set: z.record(z.string(), z.unknown()).default({}),
  launcher: z.string().min(1).default('local').describe('where to train: local, or a name of launchers.json'),
});
export type RecipeRequest = z.infer<typeof RecipeRequest>;

/**
 * The recipe that a body asks for, of files that the service may read.
 *
 * @throws OSLER_ERR_RECIPE_PRESET_UNKNOWN, OSLER_ERR_RECIPE_INVALID, OSLER_ERR_USAGE, OSLER_ERR_REQUEST_INVALID
 */
export async function requestedRecipe({ preset, set, ...named }: RecipeRequest, home: string): Promise<Recipe> {
  // A recipe file would be read from the server's disk: presets only.
  const recipe = await resolveRecipe({
    preset: preset.replaceAll(/[/\\]|\.json$/g, '?'),
    set: { ...recipeSettings(named), ...set },
  });
  checkServicePaths(recipe, home);
  return recipe;
}
