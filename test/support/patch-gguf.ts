import { copyFile, open, readFile } from 'node:fs/promises';
import { gguf } from '@huggingface/gguf';

const lengthBytes = 8;
const typeBytes = 4;

/** Copies a GGUF file with the value of one metadata key replaced by bytes of the same length. */
export async function patchMetadata(source: string, target: string, key: string, value: Buffer): Promise<void> {
  await patch(source, target, key, (_head, start) => ({ at: start, bytes: value }));
}

/** Copies a GGUF file with a part of its chat template replaced by one of the same length. */
export async function patchTemplate(source: string, target: string, part: string, replacement: string): Promise<void> {
  if (Buffer.byteLength(part) !== Buffer.byteLength(replacement)) throw new Error('the replacement must be as long');
  await patch(source, target, 'tokenizer.chat_template', (head, start) => ({
    at: head.indexOf(part, start + lengthBytes),
    bytes: Buffer.from(replacement),
  }));
}

/** Flips the highest bit of one byte in the middle of a tensor's data, in place. */
export async function flipByte(file: string, tensor: string): Promise<void> {
  const { tensorInfos, tensorDataOffset } = await gguf(file, { allowLocalFile: true });
  const info = tensorInfos.find(({ name }) => name === tensor);
  if (info === undefined) throw new Error(`there is no tensor "${tensor}"`);
  const handle = await open(file, 'r+');
  try {
    const place = Number(tensorDataOffset) + Number(info.offset) + 1001;
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, place);
    byte[0] = (byte[0] ?? 0) ^ 0x80;
    await handle.write(byte, 0, 1, place);
  } finally {
    await handle.close();
  }
}

async function patch(
  source: string,
  target: string,
  key: string,
  change: (head: Buffer, start: number) => { at: number; bytes: Buffer },
): Promise<void> {
  const { tensorDataOffset } = await gguf(source, { allowLocalFile: true });
  const head = (await readFile(source)).subarray(0, Number(tensorDataOffset));
  const name = Buffer.concat([lengthOf(key), Buffer.from(key)]);
  const found = head.indexOf(name);
  if (found < 0) throw new Error(`there is no key "${key}"`);
  const { at, bytes } = change(head, found + name.length + typeBytes);
  if (at < 0) throw new Error(`"${key}" does not hold what is to be replaced`);
  await copyFile(source, target);
  const handle = await open(target, 'r+');
  try {
    await handle.write(bytes, 0, bytes.length, at);
  } finally {
    await handle.close();
  }
}

function lengthOf(text: string): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  bytes.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
  return bytes;
}
