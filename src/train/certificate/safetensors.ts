import { readFile } from 'node:fs/promises';
import { z } from 'zod';

const headerLengthBytes = 8;

const Header = z.record(
  z.string(),
  z.union([
    z.strictObject({ dtype: z.string(), shape: z.array(z.int()), data_offsets: z.tuple([z.int(), z.int()]) }),
    z.record(z.string(), z.string()), // __metadata__
  ]),
);

/** A small safetensors file in memory (https://huggingface.co/docs/safetensors). */
export interface Tensors {
  readonly file: string;
  readonly header: z.infer<typeof Header>;
  readonly data: Buffer;
}

/** Reads a safetensors file whole: for files of some megabytes. */
export async function readTensors(file: string): Promise<Tensors> {
  const bytes = await readFile(file);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = Header.parse(JSON.parse(bytes.toString('utf8', headerLengthBytes, headerLengthBytes + headerBytes)));
  return { file, header, data: bytes.subarray(headerLengthBytes + headerBytes) };
}

/** The values of one tensor of type I32 or F32, in order. Throws where it is not there. */
export function readTensor({ file, header, data }: Tensors, name: string): number[] {
  const entry = header[name];
  if (entry === undefined || !('data_offsets' in entry) || !Array.isArray(entry.data_offsets))
    throw new Error(`"${file}" has no tensor "${name}"`);
  const [start, end] = entry.data_offsets;
  const part = data.subarray(start, end);
  if (part.length !== end - start) throw new Error(`"${file}" was cut off`);
  const read = { I32: (at: number) => part.readInt32LE(at), F32: (at: number) => part.readFloatLE(at) }[entry.dtype];
  if (read === undefined) throw new Error(`tensor "${name}" of "${file}" is ${entry.dtype}, and I32 or F32 is wanted`);
  return Array.from({ length: part.length / 4 }, (_, index) => read(4 * index));
}
