import { readFile } from 'node:fs/promises';
import { readSafetensorsHeader, type SafetensorsHeader } from '../safetensors-header.ts';

/** A small safetensors file in memory (https://huggingface.co/docs/safetensors). */
export interface Tensors {
  readonly file: string;
  readonly tensors: SafetensorsHeader['tensors'];
  readonly data: Buffer;
}

/** Reads a safetensors file whole: for files of some megabytes. */
export async function readTensors(file: string): Promise<Tensors> {
  const { tensors, dataStart } = await readSafetensorsHeader(file);
  return { file, tensors, data: (await readFile(file)).subarray(dataStart) };
}

/** The values of one tensor of type I32 or F32, in order. Throws where it is not there. */
export function readTensor({ file, tensors, data }: Tensors, name: string): number[] {
  const entry = tensors.get(name);
  if (entry === undefined) throw new Error(`"${file}" has no tensor "${name}"`);
  const [start, end] = entry.data_offsets;
  const part = data.subarray(start, end);
  if (part.length !== end - start) throw new Error(`"${file}" was cut off`);
  const read = { I32: (at: number) => part.readInt32LE(at), F32: (at: number) => part.readFloatLE(at) }[entry.dtype];
  if (read === undefined) throw new Error(`tensor "${name}" of "${file}" is ${entry.dtype}, and I32 or F32 is wanted`);
  return Array.from({ length: part.length / 4 }, (_, index) => read(4 * index));
}
