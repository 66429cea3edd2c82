/** Writes the JSON Schemas that the Python trainer reads; `--check` fails where the committed ones are stale. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { Preflight } from '../src/core/schema/preflight.ts';
import { Recipe } from '../src/core/schema/recipe.ts';
import { TrainEvent } from '../src/core/schema/train-event.ts';
import { TrainJob } from '../src/core/schema/train-job.ts';
import { TrainingRow } from '../src/core/schema/training-row.ts';

const folder = path.join(import.meta.dirname, '../python/osler_trainer/contract');
const schemas = { preflight: Preflight, recipe: Recipe, 'train-event': TrainEvent, 'train-job': TrainJob, 'training-row': TrainingRow };
const stale: string[] = [];
for (const [name, schema] of Object.entries(schemas)) {
  const file = path.join(folder, `${name}.schema.json`);
  const text = `${JSON.stringify(z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' }), null, 2)}\n`;
  if (!process.argv.includes('--check')) await writeFile(file, text);
  else if ((await readFile(file, 'utf8').catch(() => '')) !== text) stale.push(file);
}
if (stale.length > 0) {
  console.error(`stale: ${stale.join(', ')}; run npm run generate`);
  process.exitCode = 1;
}
