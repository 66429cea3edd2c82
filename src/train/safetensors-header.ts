import { open } from 'node:fs/promises';
import { z } from 'zod';

const Entry = z.object({
  dtype: z.string(),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
});
const metadataName = '__metadata__';
const Header = z.record(z.string(), z.unknown());
const lengthBytes = 8;
/** Bytes of the largest header that safetensors allows. */
const maxHeaderBytes = 100_000_000;

/** What a safetensors file says of its tensors, by name. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, z.infer<typeof Entry>>;
  /** Where in the file the numbers begin, from which the offsets count. */
  readonly dataStart: number;
}

/** Reads the header alone (https://huggingface.co/docs/safetensors). Throws where it is damaged or cut off. */
export async function readSafetensorsHeader(file: string): Promise<SafetensorsHeader> {
  const handle = await open(file, 'r');
  try {
    const length = Buffer.alloc(lengthBytes);
    await handle.read(length, 0, lengthBytes, 0);
    const bytes = Number(length.readBigUInt64LE());
    if (bytes === 0 || bytes > maxHeaderBytes) throw new Error(`its header would have ${bytes} bytes`);
    const text = Buffer.alloc(bytes);
    await handle.read(text, 0, bytes, lengthBytes);
    const { [metadataName]: _metadata, ...tensors } = Header.parse(JSON.parse(text.toString('utf8')));
    return { tensors: new Map(Object.entries(z.record(z.string(), Entry).parse(tensors))), dataStart: lengthBytes + bytes };
  } finally {
    await handle.close();
  }
}
