import { mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import path from 'node:path';
import type { BackendChoice } from './backend-choice.ts';
import { type InstalledAddons, prebuiltName } from './installed-addons.ts';

/**
 * Lays out the prebuilt CUDA binaries, by links, without their CUDA library. node-llama-cpp then loads CUDA 12's.
 *
 * It tries CUDA 12's by itself where the newer library does not load. Where that loads and aborts at its first decode, only this helps.
 */
export async function prepareChoice(choice: BackendChoice, addons: InstalledAddons): Promise<void> {
  if (choice.source !== 'fallback') return;
  const source = addons.prebuilts.find((prebuilt) => prebuilt.gpu === 'cuda')?.folder;
  if (source === undefined) return;
  const target = path.join(choice.binsFolder, prebuiltName('cuda'));
  await mkdir(target, { recursive: true });
  const names = (await readdir(source)).filter((name) => name !== 'libggml-cuda.so');
  await Promise.all(names.map((name) => link(path.join(source, name), path.join(target, name))));
}

async function link(source: string, target: string): Promise<void> {
  try {
    await symlink(source, target);
  } catch (error) {
    // Another start may have made it; one to another place belongs to another installation.
    if ((await readlink(target).catch(() => '')) !== source) throw error;
  }
}
