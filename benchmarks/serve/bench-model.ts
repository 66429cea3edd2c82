import { GGMLFileQuantizationType } from '@huggingface/gguf';
import { openContext } from '../../src/cli/context.ts';
import { childEnvironment, type Config, readConfig } from '../../src/core/config.ts';
import { sha256OfFile } from '../../src/core/digest.ts';
import { readGguf } from '../../src/engine/gguf-file.ts';
import type { ReportStep } from '../../src/train/python-environment.ts';
import { ensureGguf, resolveModel } from '../../src/train/resolve-model.ts';
import { testHome } from '../../test/support/test-home.ts';

/** The file that is measured, and what to say of it in a report. */
export interface BenchModel {
  readonly file: string;
  readonly about: { readonly ref: string; readonly quantisation: string; readonly bytes: number; readonly sha256: string };
}

/** Settings of the benchmarks: OSLER_HOME where it is set, else the tests' kept folder, so that a model is fetched and converted once for both. */
export function benchConfig(): Config {
  return readConfig({ OSLER_HOME: testHome, ...childEnvironment({}) });
}

/** Finds a model as `osler serve` does: what is not GGUF becomes q8_0. Takes minutes the first time. Throws the errors of resolving. */
export async function findBenchModel(ref: string, config: Config, onStep: ReportStep, signal?: AbortSignal): Promise<BenchModel> {
  const deps = { config, models: openContext(config).models, onStep, signal };
  const file = await ensureGguf(await resolveModel(ref, null, deps), 'q8_0', deps);
  const summary = await readGguf(file);
  const name = summary.fileType === null ? undefined : GGMLFileQuantizationType[summary.fileType];
  // A path of this machine has no place in a report; what the file says of itself has.
  const isPath = ref.endsWith('.gguf');
  return {
    file,
    about: {
      ref: isPath ? (summary.name ?? 'a GGUF file') : ref,
      quantisation: name ?? 'unknown',
      bytes: summary.bytes,
      sha256: await sha256OfFile(file),
    },
  };
}
