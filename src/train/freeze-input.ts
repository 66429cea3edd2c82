import { copyFile, readFile } from 'node:fs/promises';
import { writeFileAtomically, writeJsonAtomically } from '../core/atomic-file.ts';
import type { Config } from '../core/config.ts';
import { toJsonLines } from '../core/jsonl.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import type { Run } from '../core/schema/run.ts';
import type { TrainingCheck } from '../core/schema/training-check.ts';
import { prepareData } from './data/prepare-data.ts';
import { locateTemplate } from './locate-template.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunSource } from './run-source.ts';

/** Rows and template as a check left them in its folder, and what it found. */
export interface CheckedInput {
  readonly folder: RunFolder;
  readonly source: RunSource['data'];
  readonly check: TrainingCheck;
}

/** Rows, template and where they came from, fixed once: a resumed run trains on what it began with, whatever the source holds by then. */
export async function freezeInput(run: Run, folder: RunFolder, config: Config, signal: AbortSignal): Promise<RunSource> {
  const { recipe } = run;
  const data = await prepareData(recipe.data, { config, signal });
  await writeFileAtomically(folder.trainRows, toJsonLines(data.train));
  await writeFileAtomically(folder.heldOutRows, toJsonLines(data.heldOut));
  await copyFile(locateTemplate(recipe.template), folder.template);
  return await writeSource(recipe, data.source, folder);
}

/** The same from a check, as it read them: nothing is read again that may have changed since. */
export async function freezeChecked(recipe: Recipe, folder: RunFolder, { folder: from, source, check }: CheckedInput): Promise<void> {
  for (const name of ['trainRows', 'heldOutRows', 'template'] as const) await writeFileAtomically(folder[name], await readFile(from[name]));
  await writeJsonAtomically(folder.check, check);
  await writeSource(recipe, source, folder);
}

/** Last: where it is, the rows are whole. */
async function writeSource(recipe: Recipe, data: RunSource['data'], folder: RunFolder): Promise<RunSource> {
  const source: RunSource = { data, base: { ref: recipe.base.ref, revision: recipe.base.revision } };
  await writeJsonAtomically(folder.source, source);
  return source;
}
