import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { llamaCppFolder } from '../../src/train/llama-cpp-source.ts';
import type { RunFolder } from '../../src/train/run-folder.ts';
import { safetensorsBytes } from './safetensors.ts';

/** Programs that stand for Python with the converters, and for llama-quantize, which is in `<home>/bin`. */
export async function installExportTools(home: string): Promise<{ venv: string; quantizer: string }> {
  const [venv, bin, llamaCpp] = [path.join(home, 'venv'), path.join(home, 'bin'), await llamaCppFolder(path.join(home, 'cache'))];
  for (const place of [path.join(venv, 'bin'), bin, llamaCpp]) await mkdir(place, { recursive: true });
  await writeFile(path.join(llamaCpp, 'convert_hf_to_gguf.py'), '');
  await writeFile(path.join(venv, 'osler-requirements.sha256'), 'provided');
  const quantizer = path.join(bin, 'llama-quantize');
  const program = path.join(import.meta.dirname, 'programs/converter.ts');
  for (const [file, role] of [
    [path.join(venv, 'bin/python'), 'convert'],
    [quantizer, 'quantize'],
  ] as const) {
    await writeFile(file, `#!/bin/sh\nexec '${process.execPath}' '${program}' '${home}' ${role} "$@"\n`);
    await chmod(file, 0o755);
  }
  return { venv, quantizer };
}

/** Weights of a model too small to be one. */
export const fewWeights = { 'model.layers.0.self_attn.q_proj.weight': { shape: [4, 4], values: new Float32Array(16) } };
export const shortTemplate =
  "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

/** What a training leaves behind, as far as those programs look at it. */
export async function writeTrained(folder: RunFolder): Promise<void> {
  for (const place of [folder.merged, folder.adapter]) await mkdir(place, { recursive: true });
  await writeFile(path.join(folder.merged, 'model.safetensors'), safetensorsBytes(fewWeights, 'BF16'));
  await writeFile(path.join(folder.merged, 'tokenizer_config.json'), JSON.stringify({ chat_template: shortTemplate }));
  await writeFile(path.join(folder.adapter, 'adapter_model.safetensors'), safetensorsBytes(fewWeights, 'F32'));
  await writeFile(path.join(folder.adapter, 'adapter_config.json'), JSON.stringify({ r: 4, lora_alpha: 8 }));
  await writeFile(folder.template, shortTemplate);
}
