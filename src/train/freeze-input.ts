import { copyFile } from 'node:fs/promises';
import { writeFileAtomically, writeJsonAtomically } from '../core/atomic-file.ts';
import type { Config } from '../core/config.ts';
import type { Run } from '../core/schema/run.ts';
import { locateDataset } from './dataset-source.ts';
import { locateTemplate } from './locate-template.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunSource } from './run-source.ts';
import { readTrainingData } from './training-data.ts';

/** Rows, template and where they came from, fixed once: a resumed run trains on what it began with, whatever the source holds by then. */
export async function freezeInput(run: Run, folder: RunFolder, config: Config, signal: AbortSignal): Promise<RunSource> {
  const { recipe } = run;
  const dataset = await locateDataset(recipe.data, { config, signal });
  const data = await readTrainingData(dataset.file, recipe.data);
  const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  await writeFileAtomically(folder.trainRows, lines(data.train));
  await writeFileAtomically(folder.heldOutRows, lines(data.heldOut));
  await copyFile(locateTemplate(recipe.template), folder.template);
  const source: RunSource = {
    data: {
      ref: recipe.data.ref,
      revision: dataset.revision,
      sha256: data.digest,
      trainRows: data.train.length,
      heldOutRows: data.heldOut.length,
    },
    base: { ref: recipe.base.ref, revision: recipe.base.revision },
  };
  await writeJsonAtomically(folder.source, source);
  return source;
}
