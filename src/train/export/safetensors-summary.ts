import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, OSLER_ERR_EXPORT_FAILED } from '../../core/errors.ts';
import { readSafetensorsHeader, type SafetensorsHeader } from '../safetensors-header.ts';

/** How large the weights of a folder are, from the headers of its safetensors files. */
export interface SafetensorsSummary {
  readonly weights: number;
  /** The format of most weights, such as BF16. */
  readonly dtype: string;
}

/** Reads the headers only (https://huggingface.co/docs/safetensors). Throws OSLER_ERR_EXPORT_FAILED. */
export async function summariseSafetensors(folder: string): Promise<SafetensorsSummary> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.safetensors'));
  if (names.length === 0)
    throw new OSLER_ERR_EXPORT_FAILED(folder, 'there is no merged model. Train it to its end: npx osler train --resume RUN');
  const weightsOf = new Map<string, number>();
  for (const name of names) {
    for (const { dtype, shape } of (await readTensors(path.join(folder, name))).values()) {
      const weights = shape.reduce((product, side) => product * side, 1);
      weightsOf.set(dtype, (weightsOf.get(dtype) ?? 0) + weights);
    }
  }
  const [[dtype] = ['none']] = [...weightsOf].toSorted(([, a], [, b]) => b - a);
  return { weights: [...weightsOf.values()].reduce((sum, count) => sum + count, 0), dtype };
}

async function readTensors(file: string): Promise<SafetensorsHeader['tensors']> {
  try {
    return (await readSafetensorsHeader(file)).tensors;
  } catch (error) {
    throw new OSLER_ERR_EXPORT_FAILED(file, `it is no whole safetensors file (${messageOf(error)})`);
  }
}
