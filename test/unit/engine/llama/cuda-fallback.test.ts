import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { prepareChoice } from '../../../../src/engine/llama/cuda-fallback.ts';
import { findInstalledAddons, prebuiltName } from '../../../../src/engine/llama/installed-addons.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { npmAddons, nvidiaMachine } from './backend-fixture.ts';

const childFile = path.join(import.meta.dirname, 'children/take-binaries.ts');
const { prebuilts } = await findInstalledAddons({ ...nvidiaMachine, hasNvidia: false, hasGraphics: false });

it('lays out the CUDA binaries without their CUDA library, and may do so again', async () => {
  const home = temporaryFolder();
  const folder = path.join(home, 'bins');
  await mkdir(folder);
  for (const name of ['llama-addon.node', 'libggml-cpu-zen4.so', 'libggml-cuda.so', '_nlcBuildMetadata.json'])
    await writeFile(path.join(folder, name), name);
  const choice = { source: 'fallback', gpu: 'cuda', binsFolder: path.join(home, 'laid-out') } as const;
  const addons = { ...npmAddons, prebuilts: [{ gpu: 'cuda' as const, folder, missing: [] }] };
  await prepareChoice(choice, addons);
  await prepareChoice(choice, addons);
  const target = path.join(choice.binsFolder, prebuiltName('cuda'));
  expect((await readdir(target)).toSorted()).toEqual(['_nlcBuildMetadata.json', 'libggml-cpu-zen4.so', 'llama-addon.node']);
  expect(await readlink(path.join(target, 'llama-addon.node'))).toBe(path.join(folder, 'llama-addon.node'));
});

it.runIf(prebuilts.some(({ gpu }) => gpu === 'cuda'))('makes node-llama-cpp’s package name that folder, and keep its version', async () => {
  const { stdout } = await execa(process.execPath, [childFile, '/laid-out', `@node-llama-cpp/${prebuiltName('cuda')}`]);
  expect(JSON.parse(stdout)).toEqual({ binsDir: '/laid-out', packageVersion: '3.22.1' });
});
