import { expect, it } from 'vitest';
import { loaderReason } from '../../../../src/engine/llama/loader-reason.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { addBuild } from './add-build.ts';

it('hands on what the loader says of a build that is there and does not load', async () => {
  const root = temporaryFolder();
  await addBuild(root, 'cuda', { gpu: 'cuda', builtAtSeconds: 1000 });
  const reason = await loaderReason({ source: 'build', gpu: 'cuda', cmakeOptions: { GGML_OPENMP: 'ON' } }, root);
  expect(reason).toMatch(/^its binary does not load on this machine: .*llama-addon\.node.*too short/);
});

it('says nothing of a build that is not there, nor of binaries of npm', async () => {
  const root = temporaryFolder();
  await addBuild(root, 'cuda', { gpu: 'cuda', builtAtSeconds: 1000 });
  expect(await loaderReason({ source: 'build', gpu: 'cuda', cmakeOptions: {} }, root)).toBeNull();
  expect(await loaderReason({ source: 'build', gpu: 'off', cmakeOptions: { GGML_OPENMP: 'ON' } }, root)).toBeNull();
  expect(await loaderReason({ source: 'prebuilt', gpu: 'cuda' }, root)).toBeNull();
});
