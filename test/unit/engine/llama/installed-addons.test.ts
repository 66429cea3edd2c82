import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { findInstalledAddons, findLocalBuilds } from '../../../../src/engine/llama/installed-addons.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { addBuild } from './add-build.ts';
import { plainMachine } from './backend-fixture.ts';

it('lists finished builds of this platform, the newest first', async () => {
  const root = temporaryFolder();
  const cpu = await addBuild(root, 'cpu', { gpu: false, builtAtSeconds: 1000 });
  const cuda = await addBuild(root, 'cuda', { gpu: 'cuda', builtAtSeconds: 2000 });
  await addBuild(root, 'foreign', { gpu: false, builtAtSeconds: 3000, arch: 'mips' });
  await rm(path.join(await addBuild(root, 'unfinished', { gpu: false, builtAtSeconds: 3000 }), 'buildDone.status'));
  await writeFile(path.join(await addBuild(root, 'garbled', { gpu: false, builtAtSeconds: 3000 }), 'Release/_nlcBuildMetadata.json'), '{');
  expect(await findLocalBuilds(root)).toEqual([
    { gpu: 'cuda', cmakeOptions: { GGML_OPENMP: 'ON' }, folder: cuda, builtAtMs: 2_000_000 },
    { gpu: 'off', cmakeOptions: { GGML_OPENMP: 'ON' }, folder: cpu, builtAtMs: 1_000_000 },
  ]);
});

it('finds no builds where there never was one', async () => {
  expect(await findLocalBuilds(temporaryFolder())).toEqual([]);
});

it('finds the installed node-llama-cpp with its binaries for the CPU', async () => {
  const addons = await findInstalledAddons(plainMachine);
  expect(addons).toMatchObject({ version: '3.22.1', release: 'v0.5.0' });
  expect(addons.prebuilts.map(({ gpu }) => gpu)).toContain(process.platform === 'darwin' && process.arch === 'arm64' ? 'metal' : 'off');
});
