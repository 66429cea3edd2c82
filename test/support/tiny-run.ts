import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { createRandom } from '../../src/core/rng.ts';
import type { Recipe } from '../../src/core/schema/recipe.ts';
import type { Run } from '../../src/core/schema/run.ts';
import { resolveRecipe } from '../../src/train/recipe.ts';
import { type RunFolder, runFolder } from '../../src/train/run-folder.ts';
import { readProjectTemplate } from './project-template.ts';
import { storedRun } from './stored-run.ts';
import { type PlainTensor, safetensorsBytes } from './safetensors.ts';

/** A run of the smoke preset that is done, in the store's form. */
export async function doneRun(output: Partial<Recipe['output']>): Promise<Run> {
  const recipe = await resolveRecipe({ preset: 'smoke' });
  return storedRun({ ...recipe, output: { ...recipe.output, ...output } }, { id: 'run-tiny' });
}

const [hidden, inner, keyWidth, layers, vocabulary, rank] = [256, 512, 128, 2, 49_152, 4] as const;
const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: hidden,
  intermediate_size: inner,
  num_hidden_layers: layers,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 64,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  vocab_size: vocabulary,
  tie_word_embeddings: true,
  hidden_act: 'silu',
  bos_token_id: 1,
  eos_token_id: 2,
  pad_token_id: 2,
  dtype: 'bfloat16',
};

export interface TinyRun {
  readonly run: Run;
  readonly folder: RunFolder;
  /** The model before training, as transformers keeps it. */
  readonly base: string;
}

/** Large enough that base and tuned answer differently. */
const largeSpread = 0.8;

/**
 * What a training leaves behind, of a Llama with random weights whose rows fill the blocks of K-quants, and SmolLM2's tokenizer:
 * base, adapter (32 bit) and the two merged (bfloat16), with the project's template.
 *
 * @param size spread of the adapter's numbers; the update grows as its square
 */
export async function makeTinyRun(
  home: string,
  tokenizer: string,
  output: Partial<Recipe['output']>,
  size = largeSpread,
): Promise<TinyRun> {
  const run = await doneRun(output);
  const folder = runFolder(home, run.id);
  const base = path.join(home, 'tiny-base');
  const template = readProjectTemplate();
  const random = createRandom(7);
  const weights = baseWeights(random);
  const adapter = adapterWeights(random, size);
  for (const place of [base, folder.merged]) {
    await mkdir(place, { recursive: true });
    await writeFile(path.join(place, 'config.json'), JSON.stringify(config));
    await copyFile(path.join(tokenizer, 'tokenizer.json'), path.join(place, 'tokenizer.json'));
    const settings = z.looseObject({}).parse(JSON.parse(await readFile(path.join(tokenizer, 'tokenizer_config.json'), 'utf8')));
    await writeFile(path.join(place, 'tokenizer_config.json'), JSON.stringify({ ...settings, chat_template: template }));
  }
  await mkdir(folder.adapter, { recursive: true });
  await writeFile(path.join(base, 'model.safetensors'), safetensorsBytes(weights, 'BF16'));
  await writeFile(path.join(folder.merged, 'model.safetensors'), safetensorsBytes(merge(weights, adapter), 'BF16'));
  await writeFile(path.join(folder.adapter, 'adapter_model.safetensors'), safetensorsBytes(adapter, 'F32'));
  const adapterConfig = {
    peft_type: 'LORA',
    base_model_name_or_path: base,
    r: rank,
    lora_alpha: rank,
    target_modules: ['q_proj', 'down_proj'],
  };
  await writeFile(path.join(folder.adapter, 'adapter_config.json'), JSON.stringify(adapterConfig));
  await writeFile(folder.template, template);
  return { run, folder, base };
}

type Tensors = Record<string, PlainTensor>;

function baseWeights(random: () => number): Tensors {
  const noise = (...shape: number[]): PlainTensor => ({ shape, values: spread(shape, () => (random() - 0.5) * 0.2) });
  const ones: PlainTensor = { shape: [hidden], values: spread([hidden], () => 1) };
  const tensors: Tensors = { 'model.embed_tokens.weight': noise(vocabulary, hidden), 'model.norm.weight': ones };
  for (let layer = 0; layer < layers; layer += 1) {
    const prefix = `model.layers.${layer}`;
    Object.assign(tensors, {
      [`${prefix}.input_layernorm.weight`]: ones,
      [`${prefix}.post_attention_layernorm.weight`]: ones,
      [`${prefix}.self_attn.q_proj.weight`]: noise(hidden, hidden),
      [`${prefix}.self_attn.k_proj.weight`]: noise(keyWidth, hidden),
      [`${prefix}.self_attn.v_proj.weight`]: noise(keyWidth, hidden),
      [`${prefix}.self_attn.o_proj.weight`]: noise(hidden, hidden),
      [`${prefix}.mlp.gate_proj.weight`]: noise(inner, hidden),
      [`${prefix}.mlp.up_proj.weight`]: noise(inner, hidden),
      [`${prefix}.mlp.down_proj.weight`]: noise(hidden, inner),
    });
  }
  return tensors;
}

function adapterWeights(random: () => number, size: number): Tensors {
  const noise = (...shape: number[]): PlainTensor => ({ shape, values: spread(shape, () => (random() - 0.5) * size) });
  const tensors: Tensors = {};
  for (let layer = 0; layer < layers; layer += 1)
    for (const [module, input] of [
      ['self_attn.q_proj', hidden],
      ['mlp.down_proj', inner],
    ] as const) {
      const prefix = `base_model.model.model.layers.${layer}.${module}`;
      tensors[`${prefix}.lora_A.weight`] = noise(rank, input);
      tensors[`${prefix}.lora_B.weight`] = noise(hidden, rank);
    }
  return tensors;
}

function spread(shape: readonly number[], value: () => number): Float32Array {
  return Float32Array.from({ length: shape.reduce((product, side) => product * side, 1) }, value);
}

/** W + B·A; alpha is the rank, so the scale is 1. */
function merge(weights: Tensors, adapter: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => {
      const stem = `base_model.model.${name.replace(/\.weight$/, '')}`;
      const [a, b] = [adapter[`${stem}.lora_A.weight`], adapter[`${stem}.lora_B.weight`]];
      if (a === undefined || b === undefined) return [name, weight];
      const [, width = 0] = weight.shape;
      const values = weight.values.map((value, index) => {
        const [row, column] = [Math.floor(index / width), index % width];
        let sum = value;
        for (let k = 0; k < rank; k += 1) sum += (b.values[row * rank + k] ?? 0) * (a.values[k * width + column] ?? 0);
        return sum;
      });
      return [name, { shape: weight.shape, values }];
    }),
  );
}
