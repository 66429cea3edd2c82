import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../../src/core/digest.ts';
import { readGguf } from '../../../../src/engine/gguf-file.ts';
import { probeModelBytes } from '../../../../src/engine/llama/probe-model.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

describe('probeModelBytes', () => {
  it.each([
    ['tiny', 20, 150_000],
    ['speed', 74, 40_000_000],
  ] as const)('%s is a sound GGUF of that many tensors, no larger than that', async (size, tensorCount, maxBytes) => {
    const file = path.join(temporaryFolder(), 'probe.gguf');
    const bytes = probeModelBytes(size);
    await writeFile(file, bytes);
    const summary = await readGguf(file);
    expect(summary).toMatchObject({ architecture: 'llama', name: `probe-${size}`, tensorCount, trainContextTokens: 512, fileType: 7 });
    expect(summary).toMatchObject({ bosToken: '<s>', eosToken: '</s>' });
    expect(bytes.length).toBeLessThan(maxBytes);
    // Exactly as long as header and tensors need: a shorter file is refused above.
    await writeFile(file, bytes.subarray(0, -64));
    await expect(readGguf(file)).rejects.toMatchObject({ code: 'OSLER_ERR_MODEL_CORRUPT' });
  });

  it('has the same bytes everywhere', () => {
    expect(sha256(probeModelBytes('tiny'))).toBe('3f38aa4d081ded3ad73d4c7b05b5b12246fcb2389d36199b2577bd946b5c9df4');
  });
});
