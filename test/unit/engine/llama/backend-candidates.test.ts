import { describe, expect, it } from 'vitest';
import { backendCandidates } from '../../../../src/engine/llama/backend-candidates.ts';
import { npmAddons, nvidiaMachine, plainMachine, shortName, withBuilds } from './backend-fixture.ts';

const isLinux = process.platform === 'linux';

describe.runIf(isLinux)('backendCandidates', () => {
  it('puts every GPU before the CPU and, for the same device, what was compiled here first', () => {
    const candidates = backendCandidates('auto', nvidiaMachine, withBuilds('off', 'vulkan', 'cuda'), '/home');
    expect(candidates.map(shortName)).toEqual([
      'cuda build',
      'cuda prebuilt',
      'cuda fallback',
      'vulkan build',
      'vulkan prebuilt',
      'off build',
      'off prebuilt',
    ]);
    expect(candidates.every(({ skip }) => skip === null)).toBe(true);
  });

  it.each([
    ['off', ['off build', 'off prebuilt']],
    ['cuda', ['cuda prebuilt', 'cuda fallback']],
    ['vulkan', ['vulkan prebuilt']],
    ['metal', []],
  ] as const)('is narrowed to %s by the setting', (setting, expected) => {
    expect(backendCandidates(setting, nvidiaMachine, withBuilds('off'), '/home').map(shortName)).toEqual(expected);
  });

  it('skips what has no device, and says so', () => {
    const skips = backendCandidates('auto', plainMachine, withBuilds('cuda'), '/home').map(({ skip }) => skip);
    const noNvidia = 'this machine shows no NVIDIA GPU';
    expect(skips).toEqual([noNvidia, noNvidia, noNvidia, 'this machine shows no GPU', null]);
  });

  it('skips binaries that are not installed or lack libraries, and names them', () => {
    const [cuda, vulkan] = npmAddons.prebuilts;
    if (cuda === undefined || vulkan === undefined) throw new Error('the fixture has them');
    const addons = {
      ...npmAddons,
      prebuilts: [{ ...cuda, missing: ['libcublas.so.13', 'libcudart.so.13'] }, vulkan],
      cudaFallback: { ...cuda, missing: ['libcudart.so.12'] },
    };
    const skips = backendCandidates('auto', nvidiaMachine, addons, '/home').map(({ skip }) => skip);
    expect(skips.slice(0, 3)).toEqual(['this machine lacks libcublas.so.13, libcudart.so.13', 'this machine lacks libcudart.so.12', null]);
    expect(skips[3]).toMatch(/^its package "@node-llama-cpp\/linux-\w+" is not installed/);
  });

  it('has no CUDA 12 variant where its package is absent', () => {
    const candidates = backendCandidates('cuda', nvidiaMachine, { ...npmAddons, cudaFallback: null }, '/home');
    expect(candidates.map(shortName)).toEqual(['cuda prebuilt']);
  });
});
