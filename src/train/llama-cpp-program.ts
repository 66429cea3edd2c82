import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { writeJsonAtomically } from '../core/atomic-file.ts';
import { sha256 } from '../core/digest.ts';
import { OSLER_ERR_TOOL_MISSING } from '../core/errors.ts';
import { lockFolder } from '../core/folder-lock.ts';
import { ensureLlamaCppSource, llamaCppFolder } from './llama-cpp-source.ts';
import type { ReportStep } from './python-environment.ts';

export interface LlamaCppProgramOptions {
  readonly cacheDir: string;
  /** Name of the program, which is its cmake target. */
  readonly name: string;
  readonly flags: readonly string[];
  /** How long it takes, for the one who waits. */
  readonly duration: string;
  /** Ends the sentence `"cmake" is needed to …`. */
  readonly purpose: string;
  /** What works without the program. */
  readonly instead: string;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

const shownErrorLines = 8;
/** A step each so many per cent. */
const reportedPercent = 20;

/**
 * A program out of the llama.cpp sources inside node-llama-cpp, so that it is of the release that the engine computes with.
 * Compiled once and kept in the cache; a build that was broken off goes on where it stopped.
 *
 * @returns path of the program
 * @throws OSLER_ERR_TOOL_MISSING where git, cmake or a compiler is missing
 */
export async function ensureLlamaCppProgram(options: LlamaCppProgramOptions): Promise<string> {
  const { cacheDir, name, flags, signal } = options;
  await mkdir(cacheDir, { recursive: true });
  const source = await ensureLlamaCppSource(cacheDir);
  const { folder, program, marker } = await placesOf(options);
  if (existsSync(marker)) return program;
  await mkdir(folder, { recursive: true });
  const unlock = await lockFolder(folder, () => signal?.throwIfAborted());
  try {
    if (existsSync(marker)) return program;
    options.onStep?.(`configure ${name}`);
    await cmake(['-S', source, '-B', folder, ...flags], options);
    options.onStep?.(`compile ${name} (${options.duration}; kept for later)`);
    await cmake(['--build', folder, '--target', name, '-j', String(os.availableParallelism())], options);
    await writeJsonAtomically(marker, { flags });
    return program;
  } finally {
    unlock();
  }
}

/**
 * Whether the program is there, or could be compiled as far as the tools tell, without doing so.
 *
 * @throws OSLER_ERR_TOOL_MISSING
 */
export async function checkLlamaCppProgram(options: LlamaCppProgramOptions): Promise<void> {
  if (existsSync((await placesOf(options)).marker)) return;
  for (const tools of [['cmake'], ['c++', 'g++', 'clang++']]) {
    const found = await Promise.all(tools.map(async (tool) => await execa(tool, ['--version'], { reject: false, stdin: 'ignore' })));
    if (!found.some(({ exitCode }) => exitCode === 0)) throw toolMissing(tools[0] ?? '', options, 'It is not on PATH.');
  }
}

async function placesOf({ cacheDir, name, flags }: LlamaCppProgramOptions) {
  // Native code of one processor may not run on another that shares this folder.
  const processor = flags.includes('-DGGML_NATIVE=ON') ? (os.cpus()[0]?.model ?? '') : '';
  const key = sha256(JSON.stringify([flags, os.arch(), processor])).slice(0, 12);
  const folder = path.join(cacheDir, `${name}-${path.basename(await llamaCppFolder(cacheDir))}-${key}`);
  return { folder, program: path.join(folder, 'bin', name), marker: path.join(folder, 'osler-build.json') };
}

async function cmake(words: readonly string[], options: LlamaCppProgramOptions): Promise<void> {
  const { signal } = options;
  const child = execa('cmake', words, { reject: false, all: true, buffer: true, ...(signal && { cancelSignal: signal }) });
  let reported = 0;
  child.all.on('data', (chunk: Buffer) => {
    const percent = Number([...chunk.toString().matchAll(/^\[\s*(\d+)%\]/gm)].at(-1)?.[1] ?? 0);
    if (percent < reported + reportedPercent || percent === 100) return;
    reported = percent;
    options.onStep?.(`compile ${options.name}: ${percent} %`);
  });
  const result = await child;
  signal?.throwIfAborted();
  if (result.exitCode === 0) return;
  const said = (result.all || (result.message ?? '')).trim().split('\n').slice(-shownErrorLines).join('\n');
  throw toolMissing('cmake', options, `It said: ${said}`);
}

function toolMissing(tool: string, { purpose, instead }: LlamaCppProgramOptions, why: string): Error {
  return new OSLER_ERR_TOOL_MISSING(tool, purpose, `${why}\nOn Debian: apt-get install cmake g++ git. ${instead}`);
}
