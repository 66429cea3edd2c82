import { readdirSync } from 'node:fs';
import path from 'node:path';
import { OSLER_ERR_RECIPE_INVALID, OSLER_ERR_RECIPE_PRESET_UNKNOWN } from '../core/errors.ts';
import { isRecord } from '../core/is-record.ts';
import { readTextFile } from '../core/jsonl.ts';
import { Recipe } from '../core/schema/recipe.ts';

const presetFolder = path.join(import.meta.dirname, 'presets');

/** Names of the presets that come with the package. */
export function listPresets(): string[] {
  return readdirSync(presetFolder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => path.basename(name, '.json'))
    .toSorted();
}

/** What a user asks for beside the preset. */
export interface RecipeRequest {
  /** A preset's name, or the path of a recipe file. */
  readonly preset: string;
  /** `path.of.field` to new value; texts that read as JSON are taken as JSON. */
  readonly set?: Readonly<Record<string, unknown>>;
}

/**
 * A preset with overrides applied and checked: every setting that decides the weights.
 *
 * @throws OSLER_ERR_RECIPE_PRESET_UNKNOWN, OSLER_ERR_RECIPE_INVALID with every problem
 */
export async function resolveRecipe(request: RecipeRequest): Promise<Recipe> {
  const raw = await readPreset(request.preset);
  const problems: string[] = [];
  for (const [field, value] of Object.entries(request.set ?? {})) {
    const problem = setField(raw, field.split('.'), value);
    if (problem !== undefined) problems.push(`  ${field}: ${problem}`);
  }
  const parsed = Recipe.safeParse(raw);
  if (!parsed.success) for (const issue of parsed.error.issues) problems.push(`  ${issue.path.join('.') || 'recipe'}: ${issue.message}`);
  if (problems.length > 0 || !parsed.success) throw new OSLER_ERR_RECIPE_INVALID(problems.length, problems.join('\n'));
  return parsed.data;
}

/** Reads `--set name=value` words. Throws OSLER_ERR_RECIPE_INVALID where one has no `=`. */
export function parseAssignments(words: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    words.map((word) => {
      const [name = '', ...rest] = word.split('=');
      if (rest.length === 0 || name === '') throw new OSLER_ERR_RECIPE_INVALID(1, `  "${word}" is not of the form field=value`);
      return [name, valueOf(rest.join('='))];
    }),
  );
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

async function readPreset(preset: string): Promise<Record<string, unknown>> {
  const isFile = preset.endsWith('.json') || preset.includes(path.sep);
  if (!isFile && !listPresets().includes(preset)) throw new OSLER_ERR_RECIPE_PRESET_UNKNOWN(preset, listPresets().join(', '));
  const text = await readTextFile(isFile ? preset : path.join(presetFolder, `${preset}.json`));
  const value = valueOf(text);
  if (!isRecord(value)) throw new OSLER_ERR_RECIPE_INVALID(1, `  "${preset}" is not a JSON object`);
  return value;
}

/** Sets a field that exists; the schema then judges its value. */
function setField(target: Record<string, unknown>, [name = '', ...rest]: readonly string[], value: unknown): string | undefined {
  if (!Object.hasOwn(target, name)) return `there is no such field (there are: ${Object.keys(target).join(', ')})`;
  if (rest.length === 0) {
    target[name] = value;
    return undefined;
  }
  const inner = target[name];
  return isRecord(inner) ? setField(inner, rest, value) : `"${name}" has no fields`;
}
