import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { RunFolder } from './run-folder.ts';

const count = z.int().min(0);
const places = z.array(z.string());

/** source.json of a run: what it trains on, fixed when it began. Revisions are Hub commits; null for local files. */
export const RunSource = z.strictObject({
  data: z.strictObject({
    ref: z.string(),
    revision: z.string().nullable(),
    sha256: z.string().describe('of the file; of several: over the list of theirs'),
    trainRows: z.int(),
    heldOutRows: z.int(),
    // Runs of the first releases lack what follows.
    licence: z.string().nullable().default(null).describe('as the card of the data set names it'),
    files: z
      .array(z.strictObject({ name: z.string(), format: z.string(), rows: count, bytes: count, sha256: z.string() }))
      .default([])
      .describe('in the order of their rows'),
    sourceRows: count.nullable().default(null).describe('rows of the split, used or not'),
    columns: z.record(z.string(), z.string()).default({}),
    dropped: z
      .strictObject({
        duplicates: places.describe('left out of training: their question stood in an earlier row'),
        heldOutTrained: places.describe('not held out: their question is trained on'),
        heldOutTwice: places.describe('not held out: they stand among the held-out rows already'),
      })
      .default({ duplicates: [], heldOutTrained: [], heldOutTwice: [] })
      .describe('rows that were left out, each as "line 9 repeats line 2"'),
    notes: z.array(z.string()).default([]),
  }),
  base: z.strictObject({
    ref: z.string(),
    revision: z.string().nullable(),
    files: z
      .array(z.strictObject({ path: z.string(), bytes: z.int(), sha256: z.string() }))
      .optional()
      .describe('what a trainer reads of it, as the training began; absent in runs of earlier releases'),
  }),
});
export type RunSource = z.infer<typeof RunSource>;

/** The source of a run that began before, or undefined. It is written after the rows, so where it is they are whole. */
export async function readSource(folder: Pick<RunFolder, 'source'>): Promise<RunSource | undefined> {
  const text = await readFile(folder.source, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : RunSource.parse(JSON.parse(text));
}
