import path from 'node:path';
import type { Config } from '../../core/config.ts';
import { sha256 } from '../../core/digest.ts';
import { type BackendChoice, type EngineGpu, gpuName } from './backend-choice.ts';
import { type Devices, hasDevice } from './devices.ts';
import { type InstalledAddons, prebuiltName } from './installed-addons.ts';

/** A backend in its place in the order; `skip` says why it need not be tried. */
export interface BackendCandidate {
  readonly choice: BackendChoice;
  readonly skip: string | null;
}

/** Best first. A build of this machine comes before npm's for the same GPU, not before another GPU's: any GPU beats the CPU. */
const gpuOrder: readonly EngineGpu[] = ['cuda', 'metal', 'vulkan', 'off'];

/** All backends that the setting allows, in the order in which they are tried. */
export function backendCandidates(setting: Config['gpu'], devices: Devices, addons: InstalledAddons, home: string): BackendCandidate[] {
  const allowed = setting === 'auto' ? gpuOrder : [setting];
  return allowed.flatMap((gpu) => {
    const absent = absentDevice(gpu, devices);
    const builds = addons.builds
      .filter((build) => build.gpu === gpu)
      .map(({ cmakeOptions }): BackendCandidate => ({ choice: { source: 'build', gpu, cmakeOptions }, skip: absent }));
    if (!isShipped(gpu)) return builds;
    const prebuilt: BackendCandidate = { choice: { source: 'prebuilt', gpu }, skip: absent ?? prebuiltProblem(gpu, addons) };
    return [...builds, prebuilt, ...(gpu === 'cuda' ? fallbackCandidate(addons, home, absent) : [])];
  });
}

function fallbackCandidate(addons: InstalledAddons, home: string, absent: string | null): BackendCandidate[] {
  if (addons.cudaFallback === null) return [];
  const choice: BackendChoice = { source: 'fallback', gpu: 'cuda', binsFolder: fallbackFolder(home, addons) };
  const hasBinaries = addons.prebuilts.some((prebuilt) => prebuilt.gpu === 'cuda');
  return [{ choice, skip: absent ?? (hasBinaries ? missingProblem(addons.cudaFallback.missing) : notInstalled('cuda')) }];
}

/** Where the prebuilt binaries are laid out once more, with CUDA 12's library; another installation has another folder. */
function fallbackFolder(home: string, { cudaFallback, version }: InstalledAddons): string {
  return path.join(home, 'engine', `cuda-12-${version}-${sha256(cudaFallback?.folder ?? '').slice(0, 8)}`);
}

/** The command that gives a machine the backend that it should have and lacks. */
export function buildCommand(gpu: EngineGpu): string {
  return `npx osler engine build --gpu ${gpu}`;
}

function absentDevice(gpu: EngineGpu, devices: Devices): string | null {
  const device = { cuda: 'no NVIDIA GPU', metal: 'no GPU of Apple', vulkan: 'no GPU', off: 'no CPU' }[gpu];
  return hasDevice(gpu, devices) ? null : `this machine shows ${device}`;
}

/** Apple's binaries compute with Metal on their own chips and on the CPU elsewhere; CUDA and Vulkan are for the others. */
function isShipped(gpu: EngineGpu): boolean {
  const isApple = process.platform === 'darwin';
  if (gpu === 'metal') return isApple;
  return gpu === 'off' ? !isApple || process.arch === 'x64' : !isApple;
}

function prebuiltProblem(gpu: EngineGpu, addons: InstalledAddons): string | null {
  const prebuilt = addons.prebuilts.find((candidate) => candidate.gpu === gpu);
  return prebuilt === undefined ? notInstalled(gpu) : missingProblem(prebuilt.missing);
}

function notInstalled(gpu: EngineGpu): string {
  return `its package "@node-llama-cpp/${prebuiltName(gpu)}" is not installed (${gpuName(gpu)})`;
}

function missingProblem(missing: readonly string[]): string | null {
  return missing.length === 0 ? null : `this machine lacks ${missing.join(', ')}`;
}
