import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../core/config.ts';
import { checkFreeDisk } from '../../core/free-disk.ts';
import { type GgufType, quantisedGgufTypes } from '../../core/schema/gguf-type.ts';
import { convertToGguf } from '../convert-to-gguf.ts';
import { expectedBytes } from '../export/expected-sizes.ts';
import { describeMerged } from '../export/export-source.ts';
import { ensureLlamaQuantize } from '../export/llama-quantize.ts';
import { quantiseGguf } from '../export/quantise-gguf.ts';
import type { ReportStep } from '../python-environment.ts';
import type { RunFolder } from '../run-folder.ts';
import { hasSameTensors } from './same-tensors.ts';

export interface QuantiseAnewDeps {
  readonly config: Pick<Config, 'home' | 'threads'>;
  readonly python: string;
  /** llama-quantize to try before one is compiled; left out: that on PATH. */
  readonly quantizer?: string;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes K-quants of a run's merged model anew, one after the other, and tells of each exported file whether it has the same tensors.
 * llama-quantize makes the same bits with any number of threads. The files that are made are removed.
 *
 * @throws OSLER_ERR_TOOL_MISSING, OSLER_ERR_DISK_FULL, OSLER_ERR_EXPORT_FAILED
 */
export async function quantiseAnew(
  folder: RunFolder,
  types: readonly GgufType[],
  { config, python, quantizer, onStep, signal }: QuantiseAnewDeps,
): Promise<ReadonlyMap<GgufType, boolean>> {
  const verdicts = new Map<GgufType, boolean>();
  const wanted = quantisedGgufTypes.filter((type) => types.includes(type));
  if (wanted.length === 0) return verdicts;
  const { weights, ownType } = await describeMerged(folder);
  const madeAnew = (type: GgufType): string => path.join(folder.root, `.certify-${type}.gguf`);
  await checkFreeDisk(folder.root, expectedBytes(ownType, weights) + Math.max(...wanted.map((type) => expectedBytes(type, weights))));
  const cacheDir = path.join(config.home, 'cache');
  const program = await ensureLlamaQuantize({ cacheDir, onStep, signal, ...(quantizer !== undefined && { installed: quantizer }) });
  try {
    onStep?.('certify: convert the merged model anew, since its update is too small to be seen in a quantised file');
    // An exported 16-bit file may itself be what is wrong, so that none is taken for it.
    const [source, bytes] = [madeAnew(ownType), expectedBytes(ownType, weights)];
    await convertToGguf({ python, cacheDir, source: folder.merged, target: source, type: ownType, expectedBytes: bytes, signal });
    for (const type of wanted) {
      onStep?.(`certify: quantise it anew to ${type}`);
      const target = madeAnew(type);
      await quantiseGguf({
        program,
        source,
        target,
        type,
        threads: config.threads,
        expectedBytes: expectedBytes(type, weights),
        check: async (made) => void verdicts.set(type, await hasSameTensors(made, folder.gguf(type))),
        signal,
      });
      await rm(target, { force: true });
    }
  } finally {
    for (const type of [ownType, ...wanted]) await rm(madeAnew(type), { force: true });
  }
  return verdicts;
}
