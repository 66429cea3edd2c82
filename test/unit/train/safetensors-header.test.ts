import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { readSafetensorsHeader } from '../../../src/train/safetensors-header.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

function fileOf(header: string, length = Buffer.byteLength(header)): string {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(length));
  const file = path.join(temporaryFolder(), 'model.safetensors');
  writeFileSync(file, Buffer.concat([size, Buffer.from(header), Buffer.from([1, 2, 3, 4])]));
  return file;
}

it('tells the tensors and where their numbers begin, and leaves the metadata out', async () => {
  const header = JSON.stringify({ __metadata__: { format: 'pt' }, w: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } });
  const { tensors, dataStart } = await readSafetensorsHeader(fileOf(header));
  expect([...tensors]).toEqual([['w', { dtype: 'F32', shape: [1], data_offsets: [0, 4] }]]);
  expect(dataStart).toBe(8 + Buffer.byteLength(header));
});

it.each([
  ['a header that is cut off', '{"w": {"dtype": "F32"', undefined, /JSON/],
  ['a tensor without a shape', '{"w": {"dtype": "F32"}}', undefined, /shape/],
  ['no header', '', 0, /0 bytes/],
  ['a header larger than any', '{}', 100_000_001, /100000001 bytes/],
])('refuses %s', async (_what, header, length, said) => {
  await expect(readSafetensorsHeader(fileOf(header, length))).rejects.toThrow(said);
});
