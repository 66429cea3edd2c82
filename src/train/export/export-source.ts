import { readdir, readFile } from 'node:fs/promises';
import { digestOfJson } from '../../core/digest.ts';
import { OSLER_ERR_EXPORT_FAILED } from '../../core/errors.ts';
import type { Run } from '../../core/schema/run.ts';
import type { ConvertedGgufType } from '../convert-to-gguf.ts';
import { RunDigests } from '../run-digests.ts';
import type { RunFolder } from '../run-folder.ts';
import { summariseSafetensors } from './safetensors-summary.ts';

/** What an export is made from. */
export interface ExportSource {
  /** Of all that decides what a loaded file answers: weights, tokenizer, template, adapter; and the name that it bears. */
  readonly sha256: string;
  readonly weights: number;
  /** The GGUF type that holds the merged weights as they are. */
  readonly ownType: ConvertedGgufType;
  readonly template: string;
}

const ownTypes: Readonly<Record<string, ConvertedGgufType>> = { BF16: 'bf16', F16: 'f16' };

/** How large the merged model is, and the type that loses nothing of it. Throws OSLER_ERR_EXPORT_FAILED where there is none. */
export async function describeMerged(folder: Pick<RunFolder, 'merged'>): Promise<Pick<ExportSource, 'weights' | 'ownType'>> {
  const { weights, dtype } = await summariseSafetensors(folder.merged);
  return { weights, ownType: ownTypes[dtype] ?? 'f32' };
}

/** Looks at a run's merged model, adapter and template. Throws OSLER_ERR_EXPORT_FAILED where one is missing. */
export async function readExportSource(run: Run, folder: RunFolder): Promise<ExportSource> {
  const { weights, ownType } = await describeMerged(folder);
  const template = await readFile(folder.template, 'utf8').catch(() => {
    throw new OSLER_ERR_EXPORT_FAILED(folder.template, 'the chat template of the run is missing. Copy it back, or train again.');
  });
  const digests = await RunDigests.open(folder);
  const digest = digestOfJson({
    merged: await filesOf(folder, 'merged', digests),
    adapter: await filesOf(folder, 'adapter', digests),
    template,
    name: run.recipe.output.name,
  });
  await digests.save();
  return { sha256: digest, weights, ownType, template };
}

/** sha256 of each file of a folder, by name; model cards aside, which are written later. */
async function filesOf(folder: RunFolder, kind: 'merged' | 'adapter', digests: RunDigests): Promise<Record<string, string>> {
  const entries = await readdir(folder[kind], { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isFile() && !entry.name.endsWith('.md')).map((entry) => entry.name);
  const found: Record<string, string> = {};
  for (const name of names) found[name] = await digests.of(`${kind}/${name}`);
  return found;
}
