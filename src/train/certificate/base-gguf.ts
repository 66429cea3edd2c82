import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { convertedGgufTypes, type GgufType } from '../../core/schema/gguf-type.ts';
import { expectedBytes } from '../export/expected-sizes.ts';
import { ensureLlamaQuantize } from '../export/llama-quantize.ts';
import { isKQuant, quantiseGguf, typesForQuantizer } from '../export/quantise-gguf.ts';
import { ensureGguf, type ResolveModelDeps } from '../resolve-model.ts';

const ModelConfig = z.looseObject({ dtype: z.string().optional(), torch_dtype: z.string().optional() });

/**
 * The base's own export of a type, from the same programs as the tuned model's: what it loses is what the type costs. Kept in the cache.
 *
 * @param baseDir folder of its 16-bit weights
 * @param types all types that are wanted of it
 */
export async function ensureBaseGguf(
  baseDir: string,
  type: GgufType,
  deps: ResolveModelDeps,
  types: readonly GgufType[] = [type],
): Promise<string> {
  const base = { ref: path.basename(baseDir), transformersDir: baseDir, ggufFile: null, templateFile: null, revision: null };
  const ownType = await ownTypeOf(baseDir);
  // A K-quant of weights in 32 bit is made over 16 bit; q8_0 need not be.
  const quantised = typesForQuantizer(types).find((candidate) => candidate === type && (ownType !== null || isKQuant(candidate)));
  const converted = convertedGgufTypes.find((candidate) => candidate === type);
  if (quantised === undefined) return await ensureGguf(base, converted ?? 'q8_0', deps);
  const between = ownType ?? 'bf16';
  const source = await ensureGguf(base, between, deps);
  const target = source.replace(new RegExp(`${between}\\.gguf$`), `${type}.gguf`);
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

/** The 16-bit type that loses nothing of the base's weights; null where they are in 32 bit. */
async function ownTypeOf(baseDir: string): Promise<'f16' | 'bf16' | null> {
  const config = ModelConfig.parse(JSON.parse(await readFile(path.join(baseDir, 'config.json'), 'utf8')));
  const dtype = config.dtype ?? config.torch_dtype;
  if (dtype === 'float32') return null;
  return dtype === 'float16' ? 'f16' : 'bf16';
}
