import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { baseFolder, sourcesFolder } from '../../../../src/train/launchers/content-folder.ts';
import { trainerSources } from '../../../../src/train/python-environment.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

function folderOf(files: Readonly<Record<string, string>>): string {
  const root = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
    writeFileSync(path.join(root, name), content);
  }
  return root;
}

describe('baseFolder', () => {
  it('has the same digest for the same content, and another for another name or byte', async () => {
    const digestOf = async (files: Readonly<Record<string, string>>): Promise<string> => (await baseFolder(folderOf(files))).digest;
    const digest = await digestOf({ 'config.json': '{}', 'parts/model.safetensors': 'abc' });
    expect(digest).toMatch(/^[0-9a-f]{32}$/);
    expect(await digestOf({ 'parts/model.safetensors': 'abc', 'config.json': '{}' })).toBe(digest);
    expect(await digestOf({ 'config.json': '{}', 'parts/model.safetensors': 'abd' })).not.toBe(digest);
    expect(await digestOf({ 'config.json': '{}', 'parts/models.safetensors': 'abc' })).not.toBe(digest);
  });

  it('follows links, as the Hub’s cache has them, and leaves out hidden files and GGUF exports', async () => {
    const root = folderOf({ 'config.json': '{}', '.cache/x': 'x', '.lock': '', 'model-q8_0.gguf': 'x' });
    const blob = path.join(folderOf({ blob: 'weights' }), 'blob');
    symlinkSync(blob, path.join(root, 'model.safetensors'));
    expect((await baseFolder(root)).files.map((file) => [file.path, file.bytes])).toEqual([
      ['config.json', 2],
      ['model.safetensors', 7],
    ]);
  });
});

describe('sourcesFolder', () => {
  it('is the trainer’s package, templates and contract with it, without tests and caches', async () => {
    const names = (await sourcesFolder(trainerSources)).files.map((file) => file.path);
    for (const name of ['__main__.py', 'host.py', 'templates/medical-cot.jinja', 'backends/peft.py'])
      expect(names).toContain(`osler_trainer/${name}`);
    expect(names.filter((name) => name.includes('__pycache__') || !name.startsWith('osler_trainer/'))).toEqual([]);
  });
});
