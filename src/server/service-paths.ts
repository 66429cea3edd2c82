import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { OSLER_ERR_REQUEST_INVALID } from '../core/errors.ts';
import { packageRoot } from '../core/package-root.ts';
import type { Recipe } from '../core/schema/recipe.ts';

/**
 * Keeps a recipe that came over HTTP to files meant for it: rows under the package's or the home's data/, models under the
 * home's models/ and runs/, templates by name. Registry and Hub ids pass. Symbolic links are followed before judging.
 *
 * @throws OSLER_ERR_REQUEST_INVALID
 */
export function checkServicePaths(recipe: Recipe, home: string): void {
  const dataFolders = [path.join(packageRoot, 'data'), path.join(home, 'data')];
  for (const file of [path.resolve(recipe.data.ref), path.join(packageRoot, recipe.data.ref)]) {
    if (existsSync(file) && !isInside(file, dataFolders))
      throw refusal('data.ref', recipe.data.ref, `put the file under "data" in OSLER_HOME, or train from the command line`);
  }
  const base = path.resolve(recipe.base.ref);
  if (existsSync(base) && !isInside(base, [path.join(home, 'models'), path.join(home, 'runs')]))
    throw refusal('base.ref', recipe.base.ref, 'name a model of the registry or of the Hub');
  if (/[/\\]|\.jinja$/.test(recipe.template)) throw refusal('template', recipe.template, 'name a template that comes with the package');
}

function isInside(file: string, folders: readonly string[]): boolean {
  const real = realpathSync(file);
  return folders.some((folder) => existsSync(folder) && `${real}${path.sep}`.startsWith(`${realpathSync(folder)}${path.sep}`));
}

function refusal(field: string, value: string, nextStep: string): Error {
  return new OSLER_ERR_REQUEST_INVALID(`"${field}" is "${value}", which is outside the folders that the service reads: ${nextStep}.`);
}
