import { ensureLlamaCppProgram } from '../../src/train/llama-cpp-program.ts';
import type { ReportStep } from '../../src/train/python-environment.ts';

/** How llama-server is compiled: for this very processor, with OpenMP, as its documentation advises for the CPU. */
export const llamaServerFlags = [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DGGML_NATIVE=ON',
  '-DGGML_OPENMP=ON',
  '-DLLAMA_CURL=OFF',
  '-DLLAMA_BUILD_TESTS=OFF',
  '-DLLAMA_BUILD_EXAMPLES=OFF',
] as const;

/**
 * llama-server of the same llama.cpp release, so that both servers compute with the same code. About nine minutes on two cores, once.
 *
 * @returns path of the program
 * @throws OSLER_ERR_TOOL_MISSING where git, cmake or a compiler is missing
 */
export async function ensureLlamaServer(cacheDir: string, onStep: ReportStep, signal?: AbortSignal): Promise<string> {
  return await ensureLlamaCppProgram({
    cacheDir,
    name: 'llama-server',
    flags: llamaServerFlags,
    duration: 'about nine minutes on two cores',
    purpose: 'build llama-server for the comparison',
    instead: 'Or give a finished one with --llama-server PATH.',
    onStep,
    signal,
  });
}
