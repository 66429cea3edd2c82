import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { RunFolder } from './run-folder.ts';

/** source.json of a run: what it trains on, fixed when it began. Revisions are Hub commits; null for local files. */
export const RunSource = z.strictObject({
  data: z.strictObject({ ref: z.string(), revision: z.string().nullable(), sha256: z.string(), trainRows: z.int(), heldOutRows: z.int() }),
  base: z.strictObject({
    ref: z.string(),
    revision: z.string().nullable(),
    files: z
      .array(z.strictObject({ path: z.string(), bytes: z.int(), sha256: z.string() }))
      .optional()
      .describe('its weight files as the training began; absent in runs of earlier releases'),
  }),
});
export type RunSource = z.infer<typeof RunSource>;

/** The source of a run that began before, or undefined. It is written after the rows, so where it is they are whole. */
export async function readSource(folder: Pick<RunFolder, 'source'>): Promise<RunSource | undefined> {
  const text = await readFile(folder.source, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : RunSource.parse(JSON.parse(text));
}
