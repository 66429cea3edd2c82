import { mkdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';

const platform = process.platform === 'darwin' ? 'mac' : process.platform;

/** A finished build in a node-llama-cpp of its own making. */
export async function addBuild(
  root: string,
  name: string,
  build: { gpu: unknown; builtAtSeconds: number; arch?: string },
): Promise<string> {
  const folder = path.join(root, 'llama/localBuilds', name);
  await mkdir(path.join(folder, 'Release'), { recursive: true });
  const buildOptions = { platform, arch: build.arch ?? process.arch, gpu: build.gpu, customCmakeOptions: { GGML_OPENMP: 'ON' }, more: 1 };
  await writeFile(path.join(folder, 'Release/_nlcBuildMetadata.json'), JSON.stringify({ buildOptions }));
  await writeFile(path.join(folder, 'Release/llama-addon.node'), '');
  const done = path.join(folder, 'buildDone.status');
  await writeFile(done, '');
  await utimes(done, build.builtAtSeconds, build.builtAtSeconds);
  return folder;
}
