import path from 'node:path';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runFolder } from '../../../src/train/run-folder.ts';

describe('runFolder', () => {
  const folder = runFolder('/some/home', 'run-1');
  /** Every path but the root. */
  const files = [
    ...Object.values(folder).filter((value) => typeof value === 'string' && value !== folder.root),
    folder.gguf('q8_0'),
    folder.gguf('f16'),
  ];

  it('lies under the home, and all its files in it', () => {
    expect(folder.root).toBe(path.join('/some/home', 'runs', 'run-1'));
    for (const file of files) expect(path.dirname(file)).toBe(folder.root);
  });

  it('keeps adapter and merged model apart, and a GGUF for each type', () => {
    expect(new Set(files).size).toBe(files.length);
    expect(files).toEqual(expect.arrayContaining([folder.adapter, folder.merged, folder.gguf('q8_0'), folder.gguf('f16')]));
    expect(folder.gguf('q8_0')).toBe(path.join(folder.root, 'merged-q8_0.gguf'));
  });

  it('creates nothing', () => expect(existsSync('/some/home')).toBe(false));
});
