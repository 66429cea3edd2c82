import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readGguf } from '../../../src/engine/gguf-file.ts';
import { errorOf } from '../../support/error-of.ts';
import { type GgufParts, ggufBytes } from '../../support/gguf-bytes.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const [f32, q8] = [0, 8];
const small: GgufParts = {
  metadata: {
    'general.architecture': 'llama',
    'general.name': 'Tiny',
    'llama.context_length': { uint32: 2048 },
    'tokenizer.chat_template': '{{ messages[0].content }}<think>\n',
    'tokenizer.ggml.tokens': ['<unk>', '<s>', '</s>', 'ä'],
    'tokenizer.ggml.bos_token_id': { uint32: 1 },
    'tokenizer.ggml.eos_token_id': { uint32: 2 },
  },
  tensors: [
    { name: 'token_embd.weight', shape: [64, 4], type: f32, bytes: 64 * 4 * 4 },
    { name: 'output.weight', shape: [64, 4], type: q8, bytes: (64 * 4 * 34) / 32 },
  ],
};

async function fileOf(bytes: Uint8Array): Promise<string> {
  const file = path.join(temporaryFolder(), 'model.gguf');
  await writeFile(file, bytes);
  return file;
}

async function corruptionOf(bytes: Uint8Array): Promise<string> {
  const file = await fileOf(bytes);
  const error = await errorOf(() => readGguf(file));
  expect(error.code).toBe('OSLER_ERR_MODEL_CORRUPT');
  expect(error.message).toContain(`"${file}" is not a usable GGUF file: `);
  return error.message;
}

describe('readGguf', () => {
  it('reads what serving needs from the header', async () => {
    const { bytes } = ggufBytes(small);
    const file = await fileOf(bytes);
    expect(await readGguf(file)).toEqual({
      file,
      bytes: bytes.length,
      architecture: 'llama',
      type: 'model',
      name: 'Tiny',
      trainContextTokens: 2048,
      chatTemplate: '{{ messages[0].content }}<think>\n',
      bosToken: '<s>',
      eosToken: '</s>',
      tensorCount: 2,
      fileType: null,
    });
  });

  it('reads version 2 and a file without names, template and tokens', async () => {
    const file = await fileOf(ggufBytes({ version: 2, metadata: { 'general.architecture': 'llama' } }).bytes);
    expect(await readGguf(file)).toMatchObject({
      name: null,
      trainContextTokens: null,
      chatTemplate: null,
      bosToken: '',
      eosToken: '',
      tensorCount: 0,
    });
  });

  it('takes a file whose last padding is missing, since no tensor is', async () => {
    const { bytes } = ggufBytes({ ...small, tensors: [{ name: 'w', shape: [3], type: f32, bytes: 12 }] });
    expect(await readGguf(await fileOf(bytes.subarray(0, bytes.length - 20)))).toMatchObject({ tensorCount: 1 });
  });

  it('refuses a file that is cut off one byte before the end of its last tensor, and names the tensor', async () => {
    const { bytes } = ggufBytes({ ...small, tensors: [{ name: 'blk.0.weight', shape: [16, 2], type: f32, bytes: 128 }] });
    const message = await corruptionOf(bytes.subarray(0, bytes.length - 1));
    expect(message).toContain('tensor "blk.0.weight"');
    expect(message).toContain('cut off');
  });

  it('knows the size of quantised blocks', async () => {
    const { bytes } = ggufBytes({ ...small, tensors: [{ name: 'w', shape: [64, 8], type: q8, bytes: (64 * 8 * 34) / 32 }] });
    expect(await readGguf(await fileOf(bytes))).toMatchObject({ tensorCount: 1 });
    expect(await corruptionOf(bytes.subarray(0, bytes.length - 1))).toContain('tensor "w"');
  });

  it('refuses a header that is cut off at any byte', async () => {
    const { bytes, headerBytes } = ggufBytes(small);
    const ends = Array.from({ length: Math.ceil(headerBytes / 7) }, (_value, index) => headerBytes - 1 - index * 7);
    for (const end of ends) {
      const message = await corruptionOf(bytes.subarray(0, end));
      expect(message, String(end)).toMatch(/magic|header cannot be read|was cut off/);
    }
  });

  it('refuses an empty file, other magic and text', async () => {
    const { bytes } = ggufBytes(small);
    expect(await corruptionOf(Buffer.alloc(0))).toContain('magic');
    expect(await corruptionOf(Buffer.concat([Buffer.from('GGML'), bytes.subarray(4)]))).toContain('magic');
    expect(await corruptionOf(Buffer.from('{"error": "Entry not found", "padding": "0123456789"}'))).toContain('magic');
  });

  it.each([0, 1, 4, 3 * 2 ** 24])('refuses version %i and says which are known', async (version) => {
    const message = await corruptionOf(ggufBytes({ ...small, version }).bytes);
    expect(message).toContain(`version is ${version}`);
    expect(message).toContain('2 and 3');
  });

  it('refuses counts that the file cannot hold, soon', async () => {
    const { bytes } = ggufBytes(small);
    bytes.writeBigUInt64LE(2n ** 60n, 16);
    const started = performance.now();
    expect(await corruptionOf(bytes)).toContain('header cannot be read');
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('says of a missing file and of a folder that there is no file', async () => {
    const folder = temporaryFolder();
    await mkdir(path.join(folder, 'model.gguf'));
    for (const name of ['none.gguf', 'model.gguf'])
      expect((await errorOf(() => readGguf(path.join(folder, name)))).code).toBe('OSLER_ERR_FILE_NOT_FOUND');
  });
});
