import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { OSLER_ERR_EXPORT_FAILED } from '../core/errors.ts';
import { ensureLlamaCppSource } from './llama-cpp-source.ts';

export interface ConvertOptions {
  readonly python: string;
  readonly cacheDir: string;
  /** Folder with config.json, tokenizer and safetensors. */
  readonly source: string;
  readonly target: string;
  readonly type: 'f32' | 'f16' | 'bf16' | 'q8_0';
  readonly signal?: AbortSignal | undefined;
}

/** Converts a transformers folder to one GGUF file, whole or not at all. Throws OSLER_ERR_EXPORT_FAILED. */
export async function convertToGguf(options: ConvertOptions): Promise<void> {
  const source = await ensureLlamaCppSource(options.cacheDir);
  await mkdir(path.dirname(options.target), { recursive: true });
  const temporary = `${options.target}.${process.pid}.tmp`;
  try {
    const result = await execa(
      options.python,
      [path.join(source, 'convert_hf_to_gguf.py'), options.source, '--outtype', options.type, '--outfile', temporary],
      {
        reject: false,
        all: true,
        env: { PYTHONPATH: path.join(source, 'gguf-py'), NO_LOCAL_GGUF: '' },
        ...(options.signal && { cancelSignal: options.signal }),
      },
    );
    options.signal?.throwIfAborted();
    const isThere = await stat(temporary).then(
      () => true,
      () => false,
    );
    if (result.exitCode !== 0 || !isThere)
      throw new OSLER_ERR_EXPORT_FAILED(options.target, lastLines(result.all ?? result.message ?? 'the converter wrote nothing'));
    await rename(temporary, options.target);
  } finally {
    await rm(temporary, { force: true });
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' / ');
}
