import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { findDevices } from '../../../../src/engine/llama/devices.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** A root folder with these files, empty unless a text is given. */
async function rootWith(files: Readonly<Record<string, string>>): Promise<string> {
  const root = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.join(root, path.dirname(name)), { recursive: true });
    await writeFile(path.join(root, name), text);
  }
  return root;
}

it.each([
  ['nothing', {}, { hasNvidia: false, hasGraphics: false }],
  ['a display without a render node', { 'dev/dri/card0': '' }, { hasNvidia: false, hasGraphics: false }],
  ['a GPU that is not NVIDIA’s', { 'dev/dri/card0': '', 'dev/dri/renderD128': '' }, { hasNvidia: false, hasGraphics: true }],
  ['an NVIDIA card', { 'dev/nvidiactl': '', 'dev/nvidia0': '' }, { hasNvidia: true, hasGraphics: true }],
  ['the GPU of WSL', { 'dev/dxg': '' }, { hasNvidia: true, hasGraphics: true }],
])('sees %s', async (_title, files, expected) => {
  expect(await findDevices(await rootWith(files))).toMatchObject({ ...expected, nvidiaDriver: null });
});

it.each([
  [
    'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024\nGCC version:  gcc version 12.2.0\n',
    '535.183.01',
  ],
  ['NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@U22)\n', '580.95.05'],
])('reads the version of NVIDIA’s kernel module', async (text, version) => {
  const root = await rootWith({ 'dev/nvidiactl': '', 'proc/driver/nvidia/version': text });
  expect((await findDevices(root)).nvidiaDriver).toBe(version);
});
