import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { OSLER_ERR_ENGINE_BUILD } from '../../core/errors.ts';
import { lockFolder } from '../../core/folder-lock.ts';
import { checkFreeDisk } from '../../core/free-disk.ts';
import { type EngineGpu, gpuName } from './backend-choice.ts';
import { failureIn, progressIn, type BuildProgress } from './build-output.ts';
import type { BuildRequest } from './build-protocol.ts';
import { checkBuildTools, findNvcc, toolEnvironment } from './build-tools.ts';
import { addonPackageFolder, findLocalBuilds, type LocalBuild } from './installed-addons.ts';

const neededBytes: Record<EngineGpu, number> = { cuda: 4e9, metal: 1e9, vulkan: 1.5e9, off: 0.8e9 };
const buildChild = path.join(import.meta.dirname, `build-child${path.extname(import.meta.filename)}`);

export interface BuildEngineOptions {
  readonly gpu: EngineGpu;
  readonly cmakeOptions: Readonly<Record<string, string>>;
  readonly jobs: number;
  /** Compiles even where the same build is there. */
  readonly isForced: boolean;
  /** All output of the tools goes here. */
  readonly logFile: string;
  readonly onStep: (step: string) => void;
  readonly onProgress: (progress: BuildProgress) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A build, and whether it was made just now. */
export interface BuiltEngine {
  readonly build: LocalBuild;
  readonly isNew: boolean;
}

/**
 * Compiles node-llama-cpp's addon for this machine from the sources that come in its package, without network.
 *
 * @throws OSLER_ERR_TOOL_MISSING, OSLER_ERR_DISK_FULL, OSLER_ERR_ENGINE_BUILD, and the signal's reason
 */
export async function buildEngine(options: BuildEngineOptions): Promise<BuiltEngine> {
  const root = addonPackageFolder();
  const existing = await findSame(root, options);
  if (existing !== undefined && !options.isForced) return { build: existing, isNew: false };
  const sources = path.join(root, 'llama');
  const unpacks = !(await hasSources(sources));
  if (unpacks && !existsSync(path.join(sources, 'gitRelease.bundle'))) throw failed(options, `its sources are not in "${sources}"`);
  await checkBuildTools(options.gpu, { unpacks });
  await checkFreeDisk(root, neededBytes[options.gpu]);
  const unlock = await lockFolder(sources, () => options.signal?.throwIfAborted());
  try {
    await compile({ gpu: options.gpu, jobs: options.jobs, unpacks }, options);
  } finally {
    unlock();
  }
  const build = await findSame(root, options);
  if (build === undefined) throw failed(options, 'it ended well and left no binary');
  return { build, isNew: true };
}

async function compile(request: BuildRequest, options: BuildEngineOptions): Promise<void> {
  await mkdir(path.dirname(options.logFile), { recursive: true });
  const log = createWriteStream(options.logFile);
  const lines: string[] = [];
  options.onStep(`compiling the engine for ${gpuName(request.gpu)}, ${request.jobs} files at once`);
  // A group of its own, so that an interrupt ends the compilers too and not only the process that started them.
  const child = execa(process.execPath, [buildChild, JSON.stringify(request)], {
    detached: true,
    cleanup: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    env: await buildEnvironment(request.gpu, options.cmakeOptions),
  });
  const stop = (): void => endGroup(child.pid);
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    for await (const line of child.iterable({ from: 'all' })) {
      log.write(`${line}\n`);
      lines.push(line);
      const progress = progressIn(line);
      if (progress !== undefined) options.onProgress(progress);
    }
    const result = await child;
    options.signal?.throwIfAborted();
    if (result.exitCode !== 0) throw failed(options, failureIn(lines));
  } finally {
    options.signal?.removeEventListener('abort', stop);
    log.end();
  }
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGTERM');
  } catch {
    // It ended by itself just now.
  }
}

async function buildEnvironment(gpu: EngineGpu, cmakeOptions: Readonly<Record<string, string>>): Promise<NodeJS.ProcessEnv> {
  const options = Object.entries(cmakeOptions).map(([name, value]) => [`NODE_LLAMA_CPP_CMAKE_OPTION_${name}`, value] as const);
  const nvcc = gpu === 'cuda' ? await findNvcc() : undefined;
  return toolEnvironment({
    ...Object.fromEntries(options),
    ...(nvcc?.startsWith('/') === true && { CUDACXX: nvcc }),
    // The bundle is a local file. Where it could not be read, node-llama-cpp would turn to GitHub: git then refuses.
    GIT_ALLOW_PROTOCOL: 'file',
    npm_config_offline: 'true',
    npm_config_update_notifier: 'false',
    // Its spinners would fill the log.
    CI: 'true',
  });
}

/** Whether the bundled release lies there unpacked: on a host without git it can be brought along, with an empty `.git` folder. */
async function hasSources(folder: string): Promise<boolean> {
  if (!existsSync(path.join(folder, 'llama.cpp/.git')) || !existsSync(path.join(folder, 'llama.cpp/CMakeLists.txt'))) return false;
  const [release, unpacked] = await Promise.all(
    ['binariesGithubRelease.json', 'llama.cpp.info.json'].map((name) => readFile(path.join(folder, name), 'utf8').catch(() => '{}')),
  );
  return tagIn(release) !== undefined && tagIn(release) === tagIn(unpacked);
}

function tagIn(json: string | undefined): string | undefined {
  return /"(?:release|tag)"\s*:\s*"([^"]+)"/.exec(json ?? '')?.[1];
}

/** Options that came from the environment beyond ours are part of a build's name, and make it no other. */
async function findSame(root: string, { gpu, cmakeOptions }: BuildEngineOptions): Promise<LocalBuild | undefined> {
  const wanted = Object.entries(cmakeOptions);
  return (await findLocalBuilds(root)).find(
    (build) => build.gpu === gpu && wanted.every(([name, value]) => build.cmakeOptions[name] === value),
  );
}

function failed({ gpu, logFile }: BuildEngineOptions, reason: string): Error {
  return new OSLER_ERR_ENGINE_BUILD(gpuName(gpu), reason, logFile);
}
