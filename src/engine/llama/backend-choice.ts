import { z } from 'zod';

/** What an engine computes on; `off` is the CPU. */
export const EngineGpu = z.enum(['cuda', 'metal', 'vulkan', 'off']);
export type EngineGpu = z.infer<typeof EngineGpu>;

/**
 * Which of node-llama-cpp's binaries the engine's process loads. It travels there as JSON.
 *
 * `build`: compiled on this machine, found by the options it was compiled with. `prebuilt`: from npm.
 * `fallback`: the prebuilt one, with the CUDA 12 library in place of the newer, from a folder made for it.
 */
export const BackendChoice = z.discriminatedUnion('source', [
  z.strictObject({ source: z.literal('build'), gpu: EngineGpu, cmakeOptions: z.record(z.string(), z.string()) }),
  z.strictObject({ source: z.literal('prebuilt'), gpu: EngineGpu }),
  z.strictObject({ source: z.literal('fallback'), gpu: z.literal('cuda'), binsFolder: z.string() }),
]);
export type BackendChoice = z.infer<typeof BackendChoice>;

/** The backend that needs nothing of the machine; for tests, and where nothing was chosen. */
export const prebuiltCpu: BackendChoice = { source: 'prebuilt', gpu: 'off' };

const gpuNames: Record<EngineGpu, string> = { cuda: 'CUDA', metal: 'Metal', vulkan: 'Vulkan', off: 'CPU' };

/** "CUDA", "CPU" and so on. */
export function gpuName(gpu: EngineGpu): string {
  return gpuNames[gpu];
}

/** A backend in words: "CUDA, built here". */
export function backendName(choice: BackendChoice): string {
  const origin = { build: 'built here', prebuilt: 'prebuilt', fallback: 'prebuilt for CUDA 12' }[choice.source];
  return `${gpuName(choice.gpu)}, ${origin}`;
}

/**
 * Environment of a process that computes with a backend, besides its own.
 *
 * On the CPU, libuv gets one worker thread: each of its threads that calls llama.cpp has a team of OpenMP threads of its own, and
 * with more threads than cores they sleep at every barrier instead of waiting awake. Measured on 2 cores, SmolLM2-135M: 1.5 to 2.3
 * times the tokens (docs/decisions/0012). On a GPU the worker threads sample in parallel.
 *
 * glibc keeps its first limit for memory that goes back to the system when it is freed. It would raise it to the size of a sampler
 * (see NativeGarbage) once one was freed, and the gaps that samplers leave would make the process grow all the same.
 */
export function engineEnvironment(backend: BackendChoice): Record<string, string> {
  return { MALLOC_MMAP_THRESHOLD_: '131072', ...(backend.gpu === 'off' && { UV_THREADPOOL_SIZE: '1' }) };
}
