import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openStore } from '../../../../src/core/store.ts';
import type { Recipe } from '../../../../src/core/schema/recipe.ts';
import { TrainingCheck } from '../../../../src/core/schema/training-check.ts';
import { ModelStore } from '../../../../src/train/model-store.ts';
import type { FindContamination } from '../../../../src/train/preflight/contamination-findings.ts';
import { inspectData } from '../../../../src/train/preflight/inspect-data.ts';
import { type HostToAsk, type PreflightDeps, preflight } from '../../../../src/train/preflight/preflight.ts';
import { resolveRecipe } from '../../../../src/train/recipe.ts';
import { runFiles } from '../../../../src/train/run-folder.ts';
import { locateTemplate } from '../../../../src/train/locate-template.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';

/** A good row of a number. */
export function rowOf(index: number): Record<string, string> {
  return { Question: `q${index}`, Complex_CoT: `t${index}`, Response: `a${index}` };
}

/** Good rows. */
export function rowsOf(count: number): Record<string, string>[] {
  return Array.from({ length: count }, (_value, index) => rowOf(index));
}

/** A recipe on a file of these rows: the smoke preset with changes by path. */
export async function recipeOn(rows: readonly unknown[], set: Readonly<Record<string, unknown>> = {}): Promise<Recipe> {
  const file = path.join(temporaryFolder(), 'rows.jsonl');
  await writeFile(file, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'));
  return await resolveRecipe({ preset: 'smoke', set: { 'data.ref': file, 'data.heldOutRows': 0, ...set } });
}

export interface CheckedOptions extends Partial<PreflightDeps> {
  readonly findContamination?: FindContamination;
  /** This machine's trainer; left out: it is not asked. */
  readonly askHost?: HostToAsk['ask'];
}

/** What a pre-flight of a home of its own tells, in this thread; it must fit the schema. */
export async function checked(recipe: Recipe, { findContamination, askHost, ...deps }: CheckedOptions = {}): Promise<TrainingCheck> {
  const home = temporaryFolder();
  const { check } = await preflight(recipe, {
    config: testConfig(home),
    models: new ModelStore(openStore(':memory:')),
    folder: runFiles(path.join(home, 'check')),
    locateTemplate,
    inspect: async (recipe, located, folder) => await inspectData(recipe, located, { folder, findContamination }),
    ...(askHost && { host: { isRemote: false, isBusy: false, ask: askHost } }),
    ...deps,
  });
  return TrainingCheck.parse(check);
}
