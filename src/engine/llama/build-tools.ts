import path from 'node:path';
import { execa } from 'execa';
import { childEnvironment } from '../../core/config.ts';
import { OSLER_ERR_TOOL_MISSING } from '../../core/errors.ts';
import type { EngineGpu } from './backend-choice.ts';

/** A program that compiling needs, one of several that will do, and Debian's package of it. */
interface BuildTool {
  readonly anyOf: readonly string[];
  readonly apt: string;
}

const commonTools: readonly BuildTool[] = [
  { anyOf: ['cmake'], apt: 'cmake' },
  { anyOf: ['ninja', 'make'], apt: 'ninja-build' },
  { anyOf: ['c++', 'g++', 'clang++'], apt: 'g++' },
  // node-llama-cpp starts CMake through it.
  { anyOf: ['npm'], apt: 'npm' },
];
const gitTool: BuildTool = { anyOf: ['git'], apt: 'git' };
const vulkanTool: BuildTool = { anyOf: ['glslc'], apt: 'glslc libvulkan-dev spirv-headers' };
/** Where NVIDIA's packages put the compiler, which is often not on PATH. */
const usualNvcc = '/usr/local/cuda/bin/nvcc';

/** CUDA's compiler: `CUDACXX`, or on PATH, or where NVIDIA's packages put it. */
export async function findNvcc(): Promise<string | undefined> {
  const own = childEnvironment({})['CUDACXX'];
  for (const candidate of [...(own === undefined || own === '' ? [] : [own]), 'nvcc', usualNvcc])
    if (await runs(candidate)) return candidate;
  return undefined;
}

/**
 * Looks for everything that compiling needs, before minutes are spent; nothing that is missing is fetched.
 *
 * @throws OSLER_ERR_TOOL_MISSING with all that is missing and the command that installs it
 */
export async function checkBuildTools(gpu: EngineGpu, { unpacks }: { unpacks: boolean }): Promise<void> {
  const wanted = [...commonTools, ...(unpacks ? [gitTool] : []), ...(gpu === 'vulkan' ? [vulkanTool] : [])];
  const missing = (await Promise.all(wanted.map(async (tool) => ((await findAny(tool.anyOf)) ? [] : [tool])))).flat();
  const lacksNvcc = gpu === 'cuda' && (await findNvcc()) === undefined;
  if (missing.length === 0 && !lacksNvcc) return;
  const names = [...missing.map(({ anyOf }) => anyOf.join(' or ')), ...(lacksNvcc ? ['nvcc'] : [])];
  throw new OSLER_ERR_TOOL_MISSING(names.join(', '), 'compile the engine', hintFor(missing, lacksNvcc));
}

function hintFor(missing: readonly BuildTool[], lacksNvcc: boolean): string {
  const hints: string[] = [];
  if (missing.length > 0) hints.push(`On Debian: apt-get install ${missing.map(({ apt }) => apt).join(' ')}.`);
  if (lacksNvcc)
    hints.push(
      `nvcc is part of NVIDIA's CUDA toolkit, in a version that your driver knows ("nvidia-smi" names it). On Debian: apt-get install nvidia-cuda-toolkit; it is looked for on PATH and at ${usualNvcc}.`,
    );
  return hints.join(' ');
}

async function findAny(names: readonly string[]): Promise<boolean> {
  for (const name of names) if (await runs(name)) return true;
  return false;
}

async function runs(program: string): Promise<boolean> {
  return (await execa(program, ['--version'], { reject: false, timeout: 20_000, env: toolEnvironment() })).exitCode === 0;
}

/** PATH with this Node in front: CMake and npm start `node`, and a machine may have none but this one. */
export function toolEnvironment(additions: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const folders = [path.dirname(process.execPath), childEnvironment({})['PATH'] ?? ''];
  return childEnvironment({ PATH: folders.filter((folder) => folder !== '').join(path.delimiter), ...additions });
}
