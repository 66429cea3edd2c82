import { appendFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { UploadBlob } from '../../../../src/core/hub/upload-blob.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

async function blobOf(content: Buffer): Promise<{ blob: UploadBlob; file: string }> {
  const file = path.join(temporaryFolder(), 'weights.bin');
  writeFileSync(file, content);
  return { file, blob: await UploadBlob.create(file, (name) => new Error(`${path.basename(name)} changed`)) };
}

describe('UploadBlob', () => {
  const content = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => index % 251));

  it('is a Blob with the bytes of the file, in parts of parts too', async () => {
    const { blob } = await blobOf(content);
    expect(blob).toBeInstanceOf(Blob);
    expect(blob.size).toBe(1_000_000);
    expect(Buffer.from(await blob.arrayBuffer()).equals(content)).toBe(true);
    expect(Buffer.from(await new Response(blob.stream()).arrayBuffer()).equals(content)).toBe(true);
    const part = blob.slice(100, 900).slice(50, 5000);
    expect([part.size, part.start]).toEqual([750, 150]);
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(150, 900))).toBe(true);
    expect(await (await blobOf(Buffer.from('grüße'))).blob.text()).toBe('grüße');
    expect((await blobOf(Buffer.alloc(0))).blob.size).toBe(0);
  });

  it('tells of each piece that was read', async () => {
    const seen: number[] = [];
    const { blob } = await blobOf(content);
    await blob.watched((bytes) => seen.push(bytes)).arrayBuffer();
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.reduce((sum, bytes) => sum + bytes, 0)).toBe(1_000_000);
  });

  it.each([
    ['grew', (file: string) => appendFileSync(file, 'x')],
    ['shrank', (file: string) => writeFileSync(file, 'x')],
    ['was touched', (file: string) => utimesSync(file, 1, 1)],
    ['went away', (file: string) => rmSync(file)],
    [
      'was replaced by its like',
      (file: string) => {
        rmSync(file);
        writeFileSync(file, content);
      },
    ],
  ])('refuses a file that %s', async (_how, change) => {
    const { blob, file } = await blobOf(content);
    change(file);
    await expect(blob.arrayBuffer()).rejects.toThrow('weights.bin changed');
    await expect(blob.slice(0, 10).arrayBuffer()).rejects.toThrow('weights.bin changed');
  });

  it('refuses a file that changes while it is read', async () => {
    const { blob, file } = await blobOf(content);
    const reader = blob.stream().getReader();
    await reader.read();
    appendFileSync(file, 'x');
    await expect(
      (async () => {
        while (!(await reader.read()).done);
      })(),
    ).rejects.toThrow('weights.bin changed');
  });
});
