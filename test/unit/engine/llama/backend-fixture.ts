import type { BackendDeps } from '../../../../src/engine/llama/backends.ts';
import type { Devices } from '../../../../src/engine/llama/devices.ts';
import type { InstalledAddons } from '../../../../src/engine/llama/installed-addons.ts';
import type { ProbeResult } from '../../../../src/engine/llama/probe.ts';
import type { ProbeRequest } from '../../../../src/engine/llama/probe-protocol.ts';

/** A machine without any GPU. */
export const plainMachine: Devices = { cpuModel: 'Some CPU', hasNvidia: false, nvidiaDriver: null, hasGraphics: false, hasMetal: false };

/** A machine with an NVIDIA card. */
export const nvidiaMachine: Devices = { ...plainMachine, hasNvidia: true, nvidiaDriver: '580.159.03', hasGraphics: true };

/** All binaries from npm, nothing compiled. Their folders are not there. */
export const npmAddons: InstalledAddons = {
  version: '3.22.1',
  release: 'v0.5.0',
  builds: [],
  prebuilts: (['cuda', 'vulkan', 'off'] as const).map((gpu) => ({ gpu, folder: `/addons/${gpu}`, missing: [] })),
  cudaFallback: { gpu: 'cuda', folder: '/addons/cuda-ext', missing: [] },
};

/** npm's binaries and one build for each of the GPUs named. */
export function withBuilds(...gpus: readonly InstalledAddons['builds'][number]['gpu'][]): InstalledAddons {
  const builds = gpus.map((gpu, index) => ({
    gpu,
    cmakeOptions: { GGML_OPENMP: 'ON' },
    folder: `/builds/${gpu}`,
    builtAtMs: 1000 - index,
  }));
  return { ...npmAddons, builds };
}

/** How a backend is written in these tests: "cuda build". */
export function shortName({ choice }: Pick<ProbeRequest, 'choice'>): string {
  return `${choice.gpu} ${choice.source}`;
}

export interface FakeProbes {
  readonly deps: BackendDeps;
  /** The backends that were tried, in turn. */
  readonly tried: string[];
}

/** What choosing needs, with probes that fail for the reasons given and pass otherwise. */
export function fakeProbes(
  given: { home: string; gpu?: BackendDeps['config']['gpu']; devices?: Devices; addons?: InstalledAddons },
  failures: Readonly<Record<string, string>> = {},
): FakeProbes {
  const tried: string[] = [];
  const probe = (request: ProbeRequest): Promise<ProbeResult> => {
    const name = shortName(request);
    tried.push(name);
    const reason = failures[name];
    return Promise.resolve(
      reason === undefined ? { ok: true, device: `${name} device`, tokensPerSecond: 100, seconds: 1 } : { ok: false, reason, seconds: 2 },
    );
  };
  const { home, gpu = 'auto', devices = plainMachine, addons = npmAddons } = given;
  return { tried, deps: { config: { home, gpu, threads: 2 }, devices, addons, probe } };
}
