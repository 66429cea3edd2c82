import { execa } from 'execa';
import { type GgufType, quantisedGgufTypes } from '../../core/schema/gguf-type.ts';
import { checkLlamaCppProgram, ensureLlamaCppProgram, type LlamaCppProgramOptions } from '../llama-cpp-program.ts';
import type { ReportStep } from '../python-environment.ts';

/** A static program that runs on any processor of this kind; quantising is C code, so less is asked of the C++ around it. */
const flags = [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DCMAKE_CXX_FLAGS_RELEASE=-O1',
  '-DBUILD_SHARED_LIBS=OFF',
  '-DGGML_NATIVE=OFF',
  '-DGGML_OPENMP=OFF',
  '-DGGML_CCACHE=OFF',
  '-DGGML_LLAMAFILE=OFF',
  '-DGGML_CPU_REPACK=OFF',
  '-DLLAMA_OPENSSL=OFF',
  '-DLLAMA_BUILD_TESTS=OFF',
  '-DLLAMA_BUILD_EXAMPLES=OFF',
  '-DLLAMA_BUILD_SERVER=OFF',
  '-DLLAMA_BUILD_APP=OFF',
] as const;

export interface LlamaQuantizeOptions {
  readonly cacheDir: string;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Program to try before one is compiled; by its name it is looked for on PATH. */
  readonly installed?: string;
}

/**
 * llama-quantize: an installed one that knows our types, else compiled once from the sources of the engine's own release.
 *
 * @returns its name on PATH, or its path
 * @throws OSLER_ERR_TOOL_MISSING, naming what works without it
 */
export async function ensureLlamaQuantize(options: LlamaQuantizeOptions): Promise<string> {
  const installed = options.installed ?? 'llama-quantize';
  if (await isUsable(installed, options.signal)) return installed;
  return await ensureLlamaCppProgram(buildOf(options));
}

/**
 * Says before a training what would be missing after it: an export of these types may need a compiler.
 *
 * @throws OSLER_ERR_TOOL_MISSING
 */
export async function checkExportTools(types: readonly GgufType[], options: LlamaQuantizeOptions): Promise<void> {
  if (!types.some((type) => quantisedGgufTypes.some((candidate) => candidate === type))) return;
  if (!(await isUsable(options.installed ?? 'llama-quantize', options.signal))) await checkLlamaCppProgram(buildOf(options));
}

function buildOf({ cacheDir, onStep, signal }: LlamaQuantizeOptions): LlamaCppProgramOptions {
  return {
    cacheDir,
    name: 'llama-quantize',
    flags,
    duration: 'about three minutes on two cores',
    purpose: `compile llama-quantize, which makes ${quantisedGgufTypes.join(', ')}`,
    instead: 'The types f16, bf16 and q8_0 need no compiler: --set output.ggufTypes=["q8_0"]',
    onStep,
    signal,
  };
}

/**
 * Releases do not tell their number without a model, so that we go by what they offer: our types, and `--dry-run`, which
 * came in 2026. Older ones do not know the architectures that the converter writes.
 */
async function isUsable(program: string, signal: AbortSignal | undefined): Promise<boolean> {
  const result = await execa(program, ['--help'], { reject: false, all: true, stdin: 'ignore', ...(signal && { cancelSignal: signal }) });
  signal?.throwIfAborted();
  const said = result.all ?? '';
  return said.includes('--dry-run') && quantisedGgufTypes.every((type) => new RegExp(`\\b${type}\\b`, 'i').test(said));
}
