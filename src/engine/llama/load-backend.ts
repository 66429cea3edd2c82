/** Loads the native addon. Only for processes of their own: a backend can abort its process. */
import { getLlama, type Llama, LlamaLogLevel, type LlamaOptions, NoBinaryFoundError } from 'node-llama-cpp';
import { type BackendChoice, backendName } from './backend-choice.ts';
import { takeBinariesFrom } from './take-binaries.ts';

export interface LoadBackendOptions {
  readonly threads: number;
  /** The addon writes its log to stdout itself, where an abort loses nothing; otherwise errors go to stderr through JavaScript. */
  readonly hasDirectLog?: boolean;
}

/**
 * Loads exactly the chosen backend.
 *
 * @throws Error where that one cannot be loaded: nothing else is taken in its place, and nothing is built or fetched
 */
export async function loadBackend(choice: BackendChoice, { threads, hasDirectLog = false }: LoadBackendOptions): Promise<Llama> {
  if (choice.source === 'fallback') takeBinariesFrom(choice.binsFolder);
  const gpu = choice.gpu === 'off' ? false : choice.gpu;
  const llama = await loadOrExplain({
    gpu,
    build: 'never',
    // "lastBuild" would take a prebuilt binary, with no more than a line on stderr, where the build does not load.
    usePrebuiltBinaries: choice.source !== 'build',
    cmakeOptions: choice.source === 'build' ? choice.cmakeOptions : {},
    logLevel: LlamaLogLevel.error,
    maxThreads: threads,
    debug: hasDirectLog,
  });
  const buildType = choice.source === 'build' ? 'localBuild' : 'prebuilt';
  if (llama.gpu !== gpu || llama.buildType !== buildType)
    throw new Error(
      `"${backendName(choice)}" was wanted and ${llama.buildType} for ${llama.gpu === false ? 'the CPU' : llama.gpu} was loaded`,
    );
  return llama;
}

async function loadOrExplain(options: LlamaOptions): Promise<Llama> {
  try {
    return await getLlama(options);
  } catch (error) {
    if (error instanceof NoBinaryFoundError) throw new Error('its binary is not there, or does not load on this machine', { cause: error });
    throw error;
  }
}
