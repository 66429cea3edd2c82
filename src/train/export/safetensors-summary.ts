import { open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf, OSLER_ERR_EXPORT_FAILED } from '../../core/errors.ts';

const Header = z.record(
  z.string(),
  z.union([z.object({ dtype: z.string(), shape: z.array(z.int().min(0)) }), z.record(z.string(), z.string())]),
);
/** Bytes of the largest header that safetensors allows. */
const maxHeaderBytes = 100_000_000;

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
    const header = await readHeader(path.join(folder, name));
    for (const tensor of Object.values(header)) {
      if (!('shape' in tensor) || !Array.isArray(tensor.shape)) continue;
      const weights = tensor.shape.reduce((product, side) => product * side, 1);
      weightsOf.set(tensor.dtype, (weightsOf.get(tensor.dtype) ?? 0) + weights);
    }
  }
  const [[dtype] = ['none']] = [...weightsOf].toSorted(([, a], [, b]) => b - a);
  return { weights: [...weightsOf.values()].reduce((sum, count) => sum + count, 0), dtype };
}

async function readHeader(file: string): Promise<z.infer<typeof Header>> {
  const handle = await open(file, 'r');
  try {
    const size = Buffer.alloc(8);
    await handle.read(size, 0, 8, 0);
    const bytes = Number(size.readBigUInt64LE());
    if (bytes === 0 || bytes > maxHeaderBytes) throw new Error(`its header would have ${bytes} bytes`);
    const text = Buffer.alloc(bytes);
    await handle.read(text, 0, bytes, 8);
    return Header.parse(JSON.parse(text.toString('utf8')));
  } catch (error) {
    throw new OSLER_ERR_EXPORT_FAILED(file, `it is no whole safetensors file (${messageOf(error)})`);
  } finally {
    await handle.close();
  }
}
