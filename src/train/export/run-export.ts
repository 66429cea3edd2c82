import path from 'node:path';
import { z } from 'zod';
import { readJsonFile } from '../../core/read-json-file.ts';
import { GgufType } from '../../core/schema/gguf-type.ts';
import type { RunFolder } from '../run-folder.ts';

const file = z
  .string()
  .regex(/^[^/\\]+$/)
  .describe('name in the folder of the run, so that it still holds where the home was moved');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** export.json of a run: what was made of its merged model, complete and checked when it was listed here. */
export const RunExport = z.strictObject({
  schemaVersion: z.literal(1),
  sourceSha256: sha256.describe('of everything that the files were made from: merged model, adapter, template, name, converter'),
  ggufs: z
    .array(
      z.strictObject({
        type: GgufType,
        file,
        bytes: z.int(),
        sha256,
        tensorTypes: z
          .record(z.string(), z.int())
          .describe('tensors by their number format: not every tensor has the one that the file is named after'),
      }),
    )
    .describe('in the order of the recipe, the served one first; then types that were asked for later'),
  adapterGguf: z.strictObject({ file, bytes: z.int(), sha256 }).nullable(),
  modelfile: file.nullable().describe('for Ollama'),
  notices: z.array(z.string()).describe('what users should know of these files'),
});
export type RunExport = z.infer<typeof RunExport>;

/** Where a run's export.json is. */
export function exportFile(folder: Pick<RunFolder, 'root'>): string {
  return path.join(folder.root, 'export.json');
}

/** What was exported of a run so far; undefined where nothing was, or its list cannot be read. */
export async function readRunExport(folder: Pick<RunFolder, 'root'>): Promise<RunExport | undefined> {
  return await readJsonFile(exportFile(folder), RunExport);
}
