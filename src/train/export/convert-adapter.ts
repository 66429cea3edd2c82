import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeJsonAtomically } from '../../core/atomic-file.ts';
import { OSLER_ERR_EXPORT_FAILED } from '../../core/errors.ts';
import { converterEnvironment } from '../convert-to-gguf.ts';
import { ensureLlamaCppSource } from '../llama-cpp-source.ts';
import { type GgufContents, inspectGguf } from './inspect-gguf.ts';
import { produceFile } from './produce-file.ts';
import { runExportProgram } from './run-export-program.ts';

const AdapterConfig = z.looseObject({ r: z.number().positive(), lora_alpha: z.number(), use_rslora: z.boolean().optional() });

export interface ConvertAdapterOptions {
  readonly python: string;
  readonly cacheDir: string;
  /** Name that the file bears. */
  readonly name: string;
  /** Folder with adapter_config.json and adapter_model.safetensors. */
  readonly adapter: string;
  /** Folder with the config.json of the model that it is for; its weights are not read. */
  readonly model: string;
  /** That model as GGUF. */
  readonly contents: GgufContents;
  readonly target: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The adapter as a GGUF of its own, to be loaded over the base: in 32 bit, as it was trained, so that it loses nothing.
 * Its tensors must fit those of the model; loaders notice only when they load it.
 *
 * @throws OSLER_ERR_EXPORT_FAILED, OSLER_ERR_DISK_FULL
 */
export async function convertAdapter(options: ConvertAdapterOptions): Promise<void> {
  const { target, signal } = options;
  const llamaCpp = await ensureLlamaCppSource(options.cacheDir);
  const temporary = await mkdtemp(path.join(path.dirname(target), '.adapter-view-'));
  try {
    const view = await viewOf(options, temporary);
    await produceFile(target, async (file) => {
      const script = path.join(llamaCpp, 'convert_lora_to_gguf.py');
      await runExportProgram({
        program: options.python,
        words: [script, view, '--base', options.model, '--outtype', 'f32', '--outfile', file],
        env: converterEnvironment(llamaCpp),
        writes: file,
        target,
        signal,
      });
      checkShapes(target, (await inspectGguf(file)).shapes, options.contents.shapes);
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/**
 * The adapter as the converter must see it: with our name on its card in place of peft's card, whose header it would copy (with
 * the path of the base), and with the scale of rsLoRA, which GGUF does not know, in the alpha: llama.cpp scales by alpha / r.
 */
async function viewOf({ adapter, name, target }: ConvertAdapterOptions, temporary: string): Promise<string> {
  const file = path.join(adapter, 'adapter_config.json');
  const config = AdapterConfig.safeParse(JSON.parse(await readFile(file, 'utf8').catch(() => 'null')));
  if (!config.success) throw new OSLER_ERR_EXPORT_FAILED(target, `"${file}" is no configuration of a LoRA adapter`);
  const { r, lora_alpha: alpha, use_rslora: isRankStabilised = false } = config.data;
  // The converter reads the folder's name as that of the model too.
  const view = path.join(temporary, name);
  await mkdir(view);
  for (const weights of await readdir(adapter))
    if (weights.endsWith('.safetensors')) await symlink(path.resolve(adapter, weights), path.join(view, weights));
  await writeJsonAtomically(path.join(view, 'adapter_config.json'), {
    ...config.data,
    lora_alpha: isRankStabilised ? alpha * Math.sqrt(r) : alpha,
  });
  await writeFile(path.join(view, 'README.md'), `---\nname: ${JSON.stringify(name)}\n---\n`);
  return view;
}

/** Throws where a tensor of the adapter has no tensor of its name and sides in the model. */
function checkShapes(target: string, adapter: GgufContents['shapes'], model: GgufContents['shapes']): void {
  for (const [name, shape] of adapter) {
    const [, tensor = '', part = ''] = /^(.+)\.lora_([ab])$/.exec(name) ?? [];
    // Stored the other way round.
    if (tensor === 'token_embd.weight') continue;
    const [input, output] = model.get(tensor) ?? [];
    // A is input × rank, B is rank × output, in ggml's order.
    const [wanted, given] = part === 'a' ? [input, shape[0]] : [output, shape[1]];
    if (wanted !== undefined && wanted === given) continue;
    const reason = wanted === undefined ? 'that model has no such tensor' : `its side is ${given} and that of the model ${wanted}`;
    throw new OSLER_ERR_EXPORT_FAILED(target, `the adapter is for another model than the one merged: at "${name}", ${reason}`);
  }
}
