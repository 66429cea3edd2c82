import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { convertedGgufTypes, type GgufType, quantisedGgufTypes } from '../../core/schema/gguf-type.ts';
import { expectedBytes } from '../export/expected-sizes.ts';
import { ensureLlamaQuantize } from '../export/llama-quantize.ts';
import { quantiseGguf } from '../export/quantise-gguf.ts';
import { ensureGguf, type ResolveModelDeps } from '../resolve-model.ts';

const ModelConfig = z.looseObject({ dtype: z.string().optional(), torch_dtype: z.string().optional() });

/**
 * The base's own export of a type, from the same programs as the tuned model's: what it loses is what the type costs. Kept in the cache.
 *
 * @param baseDir folder of its 16-bit weights
 */
export async function ensureBaseGguf(baseDir: string, type: GgufType, deps: ResolveModelDeps): Promise<string> {
  const base = { ref: path.basename(baseDir), transformersDir: baseDir, ggufFile: null, templateFile: null, revision: null };
  const converted = convertedGgufTypes.find((candidate) => candidate === type);
  if (converted !== undefined) return await ensureGguf(base, converted, deps);
  const quantised = quantisedGgufTypes.find((candidate) => candidate === type);
  if (quantised === undefined) throw new Error(`"${type}" is neither converted nor quantised`);
  const ownType = await ownTypeOf(baseDir);
  const source = await ensureGguf(base, ownType, deps);
  const target = source.replace(new RegExp(`${ownType}\\.gguf$`), `${type}.gguf`);
  const [made, origin] = [await stat(target).catch(() => undefined), await stat(source)];
  if (made !== undefined && made.mtimeMs >= origin.mtimeMs) return target;
  const program = await ensureLlamaQuantize({ cacheDir: path.join(deps.config.home, 'cache'), onStep: deps.onStep, signal: deps.signal });
  deps.onStep?.(`quantise ${base.ref} to GGUF ${type}`);
  await quantiseGguf({
    program,
    source,
    target,
    type: quantised,
    threads: deps.config.threads,
    expectedBytes: expectedBytes(type, origin.size / 2),
    check: async () => undefined,
    signal: deps.signal,
  });
  return target;
}

/** The 16-bit type that loses nothing of the base's weights. */
async function ownTypeOf(baseDir: string): Promise<'f16' | 'bf16'> {
  const config = ModelConfig.parse(JSON.parse(await readFile(path.join(baseDir, 'config.json'), 'utf8')));
  return (config.dtype ?? config.torch_dtype) === 'float16' ? 'f16' : 'bf16';
}
