import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, copyFileSync, existsSync, mkdirSync, openSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tryLockFolder } from '../../../src/core/folder-lock.ts';
import { listOldCaches } from '../../../src/core/old-caches.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const old = new Date('2026-01-01T00:00:00Z');
const before = new Date('2026-06-01T00:00:00Z');
const recent = new Date('2026-11-01T00:00:00Z');

/** Writes files, and gives them and the folders around them an age. */
function write(home: string, files: Readonly<Record<string, { read?: Date; written?: Date; bytes?: number }>>): void {
  for (const [name, { bytes = 10 }] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(home, name)), { recursive: true });
    writeFileSync(path.join(home, name), Buffer.alloc(bytes));
  }
  for (const [name, { read = old, written = old }] of Object.entries(files)) {
    utimesSync(path.join(home, name), read, written);
    for (let folder = path.dirname(name); folder !== '.'; folder = path.dirname(folder)) utimesSync(path.join(home, folder), old, old);
  }
}

describe('listOldCaches', () => {
  it('lists what was neither read nor written since, with its size', async () => {
    const home = temporaryFolder();
    write(home, {
      'cache/hub/models/owner/old/0a1b/model.safetensors': { bytes: 1000 },
      'cache/hub/models/owner/old/0a1b/config.json': { bytes: 24 },
      'cache/hub/models/owner/read/0a1b/config.json': { read: recent },
      'cache/hub/datasets/owner/rows/ff00/rows.jsonl': {},
      'cache/hub/models/owner/broken/.osler-parts/aa.part': { bytes: 7 },
      'cache/gguf/base-0011-q8_0.gguf': { bytes: 500 },
      'cache/gguf/new-0011-q8_0.gguf': { written: recent },
      'cache/gguf/half-0011-q8_0.gguf.123.tmp': {},
      'cache/llama.cpp-node-llama-cpp-3.0.0/convert_hf_to_gguf.py': {},
      'cache/llama-quantize-llama.cpp-node-llama-cpp-3.0.0-0a1b/bin/llama-quantize': {},
    });
    const found = await listOldCaches(home, before);
    expect(Object.fromEntries(found.map(({ name, bytes }) => [name, bytes]))).toEqual({
      'cache/gguf/base-0011-q8_0.gguf': 500,
      'cache/gguf/half-0011-q8_0.gguf.123.tmp': 10,
      'cache/hub/datasets/owner/rows/ff00': 10,
      'cache/hub/models/owner/broken/.osler-parts': 7,
      'cache/hub/models/owner/old/0a1b': 1024,
      'cache/llama-quantize-llama.cpp-node-llama-cpp-3.0.0-0a1b': 10,
      'cache/llama.cpp-node-llama-cpp-3.0.0': 10,
    });
    for (const item of found) await item.remove();
    expect(await listOldCaches(home, before)).toEqual([]);
    expect(existsSync(path.join(home, 'cache/gguf/new-0011-q8_0.gguf'))).toBe(true);
    expect(existsSync(path.join(home, 'cache/hub/models/owner/read/0a1b/config.json'))).toBe(true);
  });

  it('touches nothing that it does not know, and no lock', async () => {
    const home = temporaryFolder();
    write(home, {
      'cache/mine/notes.txt': {},
      'cache/hub/models/owner/old/.osler-lock': {},
      'models/base/base.gguf': {},
      'osler.sqlite': {},
    });
    expect(await listOldCaches(home, before)).toEqual([]);
    expect(await listOldCaches(path.join(home, 'none'), before)).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('leaves what a process has open or mapped, such as the weights of a running server', async () => {
    const home = temporaryFolder();
    write(home, {
      'cache/gguf/free-0011-q8_0.gguf': {},
      'cache/gguf/mapped-0011-q8_0.gguf': {},
      'cache/hub/models/owner/open/0a1b/model.gguf': {},
      'cache/hub/models/owner/open/0a1b2/model.gguf': {},
    });
    const mapped = path.join(home, 'cache/gguf/mapped-0011-q8_0.gguf');
    const open = path.join(home, 'cache/hub/models/owner/open/0a1b/model.gguf');
    // A program is mapped as weights are: its process has no descriptor of it.
    copyFileSync('/bin/sleep', mapped);
    chmodSync(mapped, 0o700);
    const child = spawn(mapped, ['60']);
    onTestFinished(() => void child.kill());
    await once(child, 'spawn');
    const descriptor = openSync(open, 'r');
    onTestFinished(() => closeSync(descriptor));
    utimesSync(mapped, old, old);
    const link = path.join(temporaryFolder(), 'home');
    symlinkSync(home, link);
    for (const place of [home, link])
      expect((await listOldCaches(place, before)).map(({ name }) => name)).toEqual([
        'cache/gguf/free-0011-q8_0.gguf',
        'cache/hub/models/owner/open/0a1b2',
      ]);
  });

  it('leaves a repository that is being downloaded', async () => {
    const home = temporaryFolder();
    write(home, { 'cache/hub/models/owner/name/0a1b/config.json': {} });
    const [item] = await listOldCaches(home, before);
    const unlock = tryLockFolder(path.join(home, 'cache/hub/models/owner/name'));
    expect((await errorOf(async () => await item?.remove())).message).toContain('download');
    expect(existsSync(path.join(home, 'cache/hub/models/owner/name/0a1b/config.json'))).toBe(true);
    unlock?.();
    await item?.remove();
    expect(existsSync(path.join(home, 'cache/hub/models/owner/name/0a1b'))).toBe(false);
  });
});
