import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { writeJsonAtomically } from '../../src/core/atomic-file.ts';
import { sha256 } from '../../src/core/digest.ts';
import { OSLER_ERR_TOOL_MISSING } from '../../src/core/errors.ts';
import { lockFolder } from '../../src/core/folder-lock.ts';
import { ensureLlamaCppSource } from '../../src/train/llama-cpp-source.ts';
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

const shownErrorLines = 8;

/**
 * llama-server from the llama.cpp sources inside node-llama-cpp, so that both servers compute with the same release.
 * Made once, kept in the cache; a build that was broken off goes on where it stopped. About nine minutes on two cores.
 *
 * @returns path of the program
 * @throws OSLER_ERR_TOOL_MISSING where git, cmake or a compiler is missing
 */
export async function ensureLlamaServer(cacheDir: string, onStep: ReportStep, signal?: AbortSignal): Promise<string> {
  await mkdir(cacheDir, { recursive: true });
  const source = await ensureLlamaCppSource(cacheDir);
  // Native code of one processor may not run on another that shares this folder.
  const key = sha256(JSON.stringify([llamaServerFlags, os.arch(), os.cpus()[0]?.model ?? ''])).slice(0, 12);
  const folder = path.join(cacheDir, `llama-server-${path.basename(source)}-${key}`);
  const program = path.join(folder, 'bin/llama-server');
  const marker = path.join(folder, 'osler-build.json');
  if (existsSync(marker)) return program;
  await mkdir(folder, { recursive: true });
  const unlock = await lockFolder(folder, () => signal?.throwIfAborted());
  try {
    if (existsSync(marker)) return program;
    onStep('configure llama-server');
    await cmake(['-S', source, '-B', folder, ...llamaServerFlags], signal);
    onStep('compile llama-server (about nine minutes on two cores; kept for later runs)');
    await cmake(['--build', folder, '--target', 'llama-server', '-j', String(os.availableParallelism())], signal);
    await writeJsonAtomically(marker, { flags: llamaServerFlags });
    return program;
  } finally {
    unlock();
  }
}

async function cmake(words: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const result = await execa('cmake', words, { reject: false, all: true, ...(signal && { cancelSignal: signal }) });
  signal?.throwIfAborted();
  if (result.exitCode === 0) return;
  throw new OSLER_ERR_TOOL_MISSING(
    'cmake',
    'build llama-server for the comparison',
    `It said: ${(result.all ?? result.message ?? '').trim().split('\n').slice(-shownErrorLines).join('\n')}\nOn Debian: apt-get install cmake g++ git. Or give a finished one with --llama-server PATH.`,
  );
}
