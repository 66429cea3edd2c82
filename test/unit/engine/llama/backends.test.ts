import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseBackend, concludeFrom, examineBackends } from '../../../../src/engine/llama/backends.ts';
import { errorOf } from '../../../support/error-of.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { fakeProbes, npmAddons, nvidiaMachine, withBuilds } from './backend-fixture.ts';

const abort = 'its process was ended by SIGABRT (CUDA error: the provided PTX was compiled with an unsupported toolchain.)';
/** Without the CUDA 12 binaries, whose folder these fixtures cannot lay out. */
const addons = { ...npmAddons, cudaFallback: null };

describe.runIf(process.platform === 'linux')('chooseBackend', () => {
  it('takes the first that decodes and tries no further', async () => {
    const { deps, tried } = fakeProbes({ home: temporaryFolder(), devices: nvidiaMachine, addons });
    const report = await chooseBackend(deps);
    expect(report).toMatchObject({ choice: { source: 'prebuilt', gpu: 'cuda' }, device: 'cuda prebuilt device' });
    expect(report.why).toBe('the first in the order, and it decodes');
    expect(tried).toEqual(['cuda prebuilt']);
    expect(report.outcomes.map(({ state }) => state)).toEqual(['passed', 'untried', 'untried']);
  });

  it('goes on behind one that aborts, and says which', async () => {
    const home = temporaryFolder();
    const { deps, tried } = fakeProbes({ home, devices: nvidiaMachine, addons }, { 'cuda prebuilt': abort, 'vulkan prebuilt': 'no' });
    const report = await chooseBackend(deps);
    expect(tried).toEqual(['cuda prebuilt', 'vulkan prebuilt', 'off prebuilt']);
    expect(report.choice).toEqual({ source: 'prebuilt', gpu: 'off' });
    expect(report.why).toContain('before it failed: CUDA, prebuilt; Vulkan, prebuilt');
    expect(report.outcomes[0]).toMatchObject({ state: 'failed', reason: abort, seconds: 2 });
    expect((await chooseBackend(fakeProbes({ home, devices: nvidiaMachine, addons }).deps)).choice.gpu).toBe('off');
  });

  it('remembers its choice, so that a later start tries nothing', async () => {
    const home = temporaryFolder();
    const first = await chooseBackend(fakeProbes({ home }).deps);
    const { deps, tried } = fakeProbes({ home });
    expect(await chooseBackend(deps)).toEqual(first);
    expect(tried).toEqual([]);
  });

  it.each([
    ['another driver', { devices: { ...nvidiaMachine, nvidiaDriver: '590.1' } }],
    ['a new build', { addons: { ...withBuilds('cuda'), cudaFallback: null } }],
    ['another version of the addon', { addons: { ...addons, version: '3.23.0' } }],
    ['another setting', { gpu: 'off' as const }],
  ])('tries again with %s', async (_title, change) => {
    const home = temporaryFolder();
    await chooseBackend(fakeProbes({ home, devices: nvidiaMachine, addons }).deps);
    const { deps, tried } = fakeProbes({ home, devices: nvidiaMachine, addons, ...change });
    await chooseBackend(deps);
    expect(tried).toHaveLength(1);
  });

  it('tries again where what it remembered is damaged', async () => {
    const home = temporaryFolder();
    await chooseBackend(fakeProbes({ home }).deps);
    const [name = ''] = await readdir(path.join(home, 'engine'));
    for (const damage of ['', '{"choice"', '{"choice": {"source": "nonsense"}}']) {
      await writeFile(path.join(home, 'engine', name), damage);
      const { deps, tried } = fakeProbes({ home });
      await chooseBackend(deps);
      expect(tried).toEqual(['off prebuilt']);
    }
  });

  it('does not remember that nothing worked', async () => {
    const home = temporaryFolder();
    await errorOf(() => chooseBackend(fakeProbes({ home }, { 'off prebuilt': 'an illegal instruction' }).deps));
    expect((await chooseBackend(fakeProbes({ home }).deps)).choice.gpu).toBe('off');
  });

  it.each(['no answer within 60 s', 'CUDA error: out of memory', 'its process was ended by SIGKILL'])(
    'does not give up a GPU for good over a failure of the moment: %s',
    async (reason) => {
      const home = temporaryFolder();
      await chooseBackend(fakeProbes({ home, devices: nvidiaMachine, addons }, { 'cuda prebuilt': reason }).deps);
      expect((await chooseBackend(fakeProbes({ home, devices: nvidiaMachine, addons }).deps)).choice.gpu).toBe('cuda');
    },
  );

  it('works in a home that cannot be written', async () => {
    const home = path.join(temporaryFolder(), 'file');
    await writeFile(home, 'no folder');
    expect((await chooseBackend(fakeProbes({ home }).deps)).choice.gpu).toBe('off');
  });
});

describe.runIf(process.platform === 'linux')('where no backend decodes', () => {
  it('the error names each with its reason, and the build that mends it', async () => {
    const { deps } = fakeProbes({ home: temporaryFolder(), gpu: 'cuda', devices: nvidiaMachine, addons }, { 'cuda prebuilt': abort });
    const error = await errorOf(() => chooseBackend(deps));
    expect(error.code).toBe('OSLER_ERR_ENGINE_BACKEND');
    expect(error.message).toContain(`CUDA, prebuilt: failed in 2.0 s: ${abort}`);
    expect(error.message).toContain('Mend it: npx osler engine build --gpu cuda');
  });

  it('the error of an absent device tells to choose another setting', async () => {
    const { deps, tried } = fakeProbes({ home: temporaryFolder(), gpu: 'cuda' });
    const error = await errorOf(() => chooseBackend(deps));
    expect(error.message).toContain('this machine shows no NVIDIA GPU');
    expect(error.message).toContain('Mend it: unset OSLER_GPU, or set it to off');
    expect(tried).toEqual([]);
  });

  it('the CPU’s error tells to compile', async () => {
    const { deps } = fakeProbes({ home: temporaryFolder() }, { 'off prebuilt': 'its process was ended by SIGILL' });
    expect((await errorOf(() => chooseBackend(deps))).message).toContain('npx osler engine build --gpu off');
  });
});

it.runIf(process.platform === 'linux')('examining can try all, and its conclusion is remembered', async () => {
  const home = temporaryFolder();
  const { deps, tried } = fakeProbes({ home, devices: nvidiaMachine, addons });
  const outcomes = await examineBackends(deps, { model: 'tiny', stopsAtFirst: false });
  expect(tried).toEqual(['cuda prebuilt', 'vulkan prebuilt', 'off prebuilt']);
  const report = await concludeFrom(deps, outcomes);
  expect(report.choice.gpu).toBe('cuda');
  expect(await chooseBackend(deps)).toEqual(report);
  expect(tried).toHaveLength(3);
});
