import os from 'node:os';
import { execa } from 'execa';
import type { EngineGpu } from './backend-choice.ts';

/** Memory that a compiler takes at its worst; nvcc's templates want more. */
const jobBytes: Record<EngineGpu, number> = { cuda: 2.5e9, metal: 0.8e9, vulkan: 1e9, off: 0.8e9 };

export interface BuildTarget {
  /** Compute capabilities as CMake takes them; left out: those of the GPUs that are here. */
  readonly cudaArchitectures?: string | undefined;
  /** For other machines too: the processor's usual instructions (x86-64: AVX2), not all that this one has. */
  readonly isPortable?: boolean | undefined;
}

/**
 * What CMake is told, beyond node-llama-cpp's own (which compiles for this processor, GGML_NATIVE).
 * It is the name of a build, too: the same options find it again.
 */
export async function cmakeOptionsFor(
  gpu: EngineGpu,
  { cudaArchitectures, isPortable = false }: BuildTarget = {},
): Promise<Record<string, string>> {
  // Apple's compiler has no OpenMP; its own scheduler does not need it.
  if (process.platform === 'darwin') return { GGML_NATIVE: isPortable ? 'OFF' : 'ON' };
  // Threads of OpenMP sleep where ggml's own spin: on shared or too few cores that is tenfold speed and more.
  const options = { GGML_OPENMP: 'ON', ...(isPortable && { GGML_NATIVE: 'OFF' }) };
  if (gpu !== 'cuda') return options;
  return { ...options, CMAKE_CUDA_ARCHITECTURES: cudaArchitectures ?? (await ownCudaArchitectures()) };
}

/** Of the GPUs that are here, such as "90" or "80;90"; CMake looks for itself where the driver cannot say. */
async function ownCudaArchitectures(): Promise<string> {
  const query = await execa('nvidia-smi', ['--query-gpu=compute_cap', '--format=csv,noheader'], { reject: false, timeout: 20_000 });
  const found = query.exitCode === 0 ? [...query.stdout.matchAll(/^(\d+)\.(\d+)\s*$/gm)].map(([, major, minor]) => `${major}${minor}`) : [];
  return found.length === 0 ? 'native' : [...new Set(found)].toSorted().join(';');
}

/** Compilers at once: the cores this process may use, fewer where memory is short. */
export function defaultJobs(gpu: EngineGpu): number {
  return Math.max(1, Math.min(os.availableParallelism(), Math.floor(process.availableMemory() / jobBytes[gpu])));
}
