import { type FileHandle, open } from 'node:fs/promises';
import { gguf } from '@huggingface/gguf';

const pieceBytes = 8 << 20;

/** Whether two GGUF files hold the same tensors to the bit, whatever their metadata say. Throws where one cannot be read. */
export async function hasSameTensors(left: string, right: string): Promise<boolean> {
  const [a, b] = await Promise.all([tensorsOf(left), tensorsOf(right)]);
  if (a.described !== b.described) return false;
  const [first, second] = [await open(left), await open(right)];
  try {
    const [buffers, size] = [[Buffer.alloc(pieceBytes), Buffer.alloc(pieceBytes)] as const, (await first.stat()).size - a.start];
    if ((await second.stat()).size - b.start !== size) return false;
    for (let at = 0; at < size; at += pieceBytes) {
      const [x, y] = await Promise.all([readAt(first, buffers[0], a.start + at), readAt(second, buffers[1], b.start + at)]);
      if (!x.equals(y)) return false;
    }
    return true;
  } finally {
    await Promise.all([first.close(), second.close()]);
  }
}

async function tensorsOf(file: string): Promise<{ described: string; start: number }> {
  const { tensorInfos, tensorDataOffset } = await gguf(file, { allowLocalFile: true });
  const described = tensorInfos.map(({ name, shape, dtype, offset }) => [name, shape.map(String), dtype, String(offset)]);
  return { described: JSON.stringify(described), start: Number(tensorDataOffset) };
}

/** What the file holds from there on, as far as the buffer goes. */
async function readAt(file: FileHandle, buffer: Buffer, position: number): Promise<Buffer> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
