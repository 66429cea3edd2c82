import { existsSync } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { execa } from 'execa';
import { OSLER_ERR_TOOL_MISSING } from '../core/errors.ts';

const packageFolder = path.join(path.dirname(createRequire(import.meta.url).resolve('node-llama-cpp')), '..');

/** Where the sources of the engine's release are, or will be. */
export async function llamaCppFolder(cacheDir: string): Promise<string> {
  const version: unknown = JSON.parse(await readFile(path.join(packageFolder, 'package.json'), 'utf8')).version;
  return path.join(cacheDir, `llama.cpp-node-llama-cpp-${String(version)}`);
}

/**
 * Sources of the very llama.cpp release that node-llama-cpp loads with, from the git bundle inside that package:
 * so the converter always matches the loader, and nothing is fetched.
 *
 * @returns the folder, kept in the cache for later calls
 * @throws OSLER_ERR_TOOL_MISSING where git is not installed
 */
export async function ensureLlamaCppSource(cacheDir: string): Promise<string> {
  const bundle = path.join(packageFolder, 'llama/gitRelease.bundle');
  const folder = await llamaCppFolder(cacheDir);
  if (existsSync(path.join(folder, 'convert_hf_to_gguf.py'))) return folder;
  const temporary = `${folder}.${process.pid}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  const result = await execa('git', ['clone', '--quiet', bundle, temporary], { reject: false, all: true });
  if (result.exitCode !== 0)
    throw new OSLER_ERR_TOOL_MISSING(
      'git',
      'unpack the converter that comes with node-llama-cpp',
      `It said: ${result.all || result.message}\nOn Debian: apt-get install git`,
    );
  // Another process may have been quicker: either folder serves.
  await rename(temporary, folder).catch(async () => rm(temporary, { recursive: true, force: true }));
  return folder;
}
