import { copyFile } from 'node:fs/promises';
import { writeFileAtomically, writeJsonAtomically } from '../core/atomic-file.ts';
import type { Config } from '../core/config.ts';
import type { Run } from '../core/schema/run.ts';
import { prepareData } from './data/prepare-data.ts';
import { locateTemplate } from './locate-template.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunSource } from './run-source.ts';

/** Rows, template and where they came from, fixed once: a resumed run trains on what it began with, whatever the source holds by then. */
export async function freezeInput(run: Run, folder: RunFolder, config: Config, signal: AbortSignal): Promise<RunSource> {
  const { recipe } = run;
  const data = await prepareData(recipe.data, { config, signal });
  const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  await writeFileAtomically(folder.trainRows, lines(data.train));
  await writeFileAtomically(folder.heldOutRows, lines(data.heldOut));
  await copyFile(locateTemplate(recipe.template), folder.template);
  const source: RunSource = { data: data.source, base: { ref: recipe.base.ref, revision: recipe.base.revision } };
  await writeJsonAtomically(folder.source, source);
  return source;
}
