import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeFileAtomically, writeJsonAtomically } from '../../../src/core/atomic-file.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

describe('writeFileAtomically', () => {
  it('makes the folders above and leaves the file alone in its own', async () => {
    const file = path.join(temporaryFolder(), 'a/b/file.txt');
    await writeFileAtomically(file, 'text');
    expect(await readFile(file, 'utf8')).toBe('text');
    expect(await readdir(path.dirname(file))).toEqual(['file.txt']);
  });

  it('replaces what was there, bytes included', async () => {
    const file = path.join(temporaryFolder(), 'file.bin');
    await writeFile(file, 'a much longer former content');
    await writeFileAtomically(file, new Uint8Array([0, 255, 10]));
    expect([...(await readFile(file))]).toEqual([0, 255, 10]);
  });

  it('leaves no temporary file where the name is taken by a folder', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'taken');
    await mkdir(path.join(file, 'inside'), { recursive: true });
    await expect(writeFileAtomically(file, 'text')).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(await readdir(folder)).toEqual(['taken']);
    expect(await readdir(file)).toEqual(['inside']);
  });

  it('leaves no temporary file and the former content where writing fails half-way', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'kept.txt');
    await writeFile(file, 'former');
    // No bytes at all: refused when the temporary file is open already, as a full disk would.
    const unwritable = {} as unknown as Uint8Array;
    await expect(writeFileAtomically(file, unwritable)).rejects.toThrow(TypeError);
    expect(await readdir(folder)).toEqual(['kept.txt']);
    expect(await readFile(file, 'utf8')).toBe('former');
  });

  it('throws where a file stands in place of a folder', async () => {
    const folder = temporaryFolder();
    await writeFile(path.join(folder, 'file'), '');
    await expect(writeFileAtomically(path.join(folder, 'file/inside.txt'), 'text')).rejects.toThrow(/ENOTDIR|EEXIST/);
    expect(existsSync(path.join(folder, 'file/inside.txt'))).toBe(false);
  });

  it('lets concurrent writers of one file finish with one of their contents, whole', async () => {
    const file = path.join(temporaryFolder(), 'file.txt');
    const contents = Array.from({ length: 8 }, (_value, index) => String(index).repeat(5000));
    await Promise.all(contents.map((content) => writeFileAtomically(file, content)));
    expect(contents).toContain(await readFile(file, 'utf8'));
    expect(await readdir(path.dirname(file))).toEqual(['file.txt']);
  });
});

describe('writeJsonAtomically', () => {
  it('writes JSON that people can read, with a final newline', async () => {
    const file = path.join(temporaryFolder(), 'value.json');
    await writeJsonAtomically(file, { a: [1], b: null });
    expect(await readFile(file, 'utf8')).toBe('{\n  "a": [\n    1\n  ],\n  "b": null\n}\n');
  });
});
