import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasSameTensors } from '../../../../src/train/certificate/same-tensors.ts';
import { ggufBytes, type GgufValue } from '../../../support/gguf-bytes.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** More than is read at once. */
const rows = 9 << 10;

async function writeGguf(
  name: string,
  change: { metadata?: Record<string, GgufValue>; type?: number; flipAt?: number; tail?: number } = {},
) {
  const tensors = [{ name: 'token_embd.weight', shape: [256, rows], type: change.type ?? 0, bytes: rows * 1024 }];
  const { bytes } = ggufBytes({ metadata: { 'general.architecture': 'llama', ...change.metadata }, tensors });
  const place = bytes.length - (change.flipAt ?? 1);
  if (change.flipAt !== undefined) bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  const file = path.join(folder, `${name}.gguf`);
  await writeFile(file, change.tail === undefined ? bytes : bytes.subarray(0, -change.tail));
  return file;
}
let folder = '';

describe('hasSameTensors', () => {
  it('looks at the tensors alone, to their last bit', async () => {
    folder = temporaryFolder();
    const file = await writeGguf('one');
    expect(await hasSameTensors(file, await writeGguf('renamed', { metadata: { 'general.name': 'Another name' } }))).toBe(true);
    expect(await hasSameTensors(file, await writeGguf('last', { flipAt: 1 }))).toBe(false);
    expect(await hasSameTensors(file, await writeGguf('first', { flipAt: rows * 1024 }))).toBe(false);
    expect(await hasSameTensors(file, await writeGguf('typed', { type: 1 }))).toBe(false);
    expect(await hasSameTensors(file, await writeGguf('cut', { tail: 4 }))).toBe(false);
  });
});
