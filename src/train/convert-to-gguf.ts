import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { childEnvironment } from '../core/config.ts';
import type { convertedGgufTypes } from '../core/schema/gguf-type.ts';
import { produceFile } from './export/produce-file.ts';
import { runExportProgram } from './export/run-export-program.ts';
import { ensureLlamaCppSource } from './llama-cpp-source.ts';

/** What the converter writes without llama-quantize. */
export type ConvertedGgufType = (typeof convertedGgufTypes)[number];

export interface ConvertOptions {
  readonly python: string;
  readonly cacheDir: string;
  /** Folder with config.json, tokenizer and safetensors. */
  readonly source: string;
  readonly target: string;
  readonly type: ConvertedGgufType;
  /** Metadata that goes before what the converter guesses: a JSON file of `general.*`. */
  readonly metadataFile?: string;
  readonly expectedBytes?: number;
  /** Looks at the file before it gets its name; what it throws goes on. */
  readonly check?: (file: string) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** Converts a transformers folder to one GGUF file, whole or not at all. Throws OSLER_ERR_EXPORT_FAILED, OSLER_ERR_DISK_FULL. */
export async function convertToGguf(options: ConvertOptions): Promise<void> {
  const llamaCpp = await ensureLlamaCppSource(options.cacheDir);
  await mkdir(path.dirname(options.target), { recursive: true });
  await produceFile(options.target, async (temporary) => {
    const words = [path.join(llamaCpp, 'convert_hf_to_gguf.py'), options.source, '--outtype', options.type, '--outfile', temporary];
    await runExportProgram({
      program: options.python,
      words: [...words, ...(options.metadataFile === undefined ? [] : ['--metadata', options.metadataFile])],
      env: converterEnvironment(llamaCpp),
      writes: temporary,
      target: options.target,
      expectedBytes: options.expectedBytes,
      signal: options.signal,
    });
    await options.check?.(temporary);
  });
}

/** Lets llama.cpp's Python programs find their own gguf package, and no other. */
export function converterEnvironment(llamaCpp: string): NodeJS.ProcessEnv {
  return childEnvironment({ PYTHONPATH: path.join(llamaCpp, 'gguf-py'), NO_LOCAL_GGUF: '' });
}
