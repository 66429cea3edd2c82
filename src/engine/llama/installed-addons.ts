import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { z } from 'zod';
import { EngineGpu } from './backend-choice.ts';
import { type Devices, hasDevice } from './devices.ts';
import { missingLibraries } from './missing-libraries.ts';

/** A build that was compiled on this machine. */
export interface LocalBuild {
  readonly gpu: EngineGpu;
  readonly cmakeOptions: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly builtAtMs: number;
}

/** Binaries from npm for one GPU kind. */
export interface Prebuilt {
  readonly gpu: EngineGpu;
  readonly folder: string;
  /** Libraries of the system that it needs and does not find. */
  readonly missing: readonly string[];
}

/** What of node-llama-cpp is installed here. */
export interface InstalledAddons {
  readonly version: string;
  /** Release of llama.cpp inside. */
  readonly release: string;
  /** Newest first. */
  readonly builds: readonly LocalBuild[];
  readonly prebuilts: readonly Prebuilt[];
  /** Folder with the CUDA 12 library, beside the prebuilt CUDA binaries. */
  readonly cudaFallback: Prebuilt | null;
}

/** Folder of a build's binaries. */
export const buildConfiguration = 'Release';
export const addonFile = 'llama-addon.node';
const BuildMetadata = z.looseObject({
  buildOptions: z.looseObject({
    platform: z.string(),
    arch: z.string(),
    gpu: z.union([z.literal(false), EngineGpu.exclude(['off'])]),
    customCmakeOptions: z.record(z.string(), z.string()),
  }),
});
const platformNames: Partial<Record<NodeJS.Platform, string>> = { linux: 'linux', darwin: 'mac', win32: 'win' };
const platform = platformNames[process.platform] ?? process.platform;

/** Folder of the installed package node-llama-cpp. */
export function addonPackageFolder(): string {
  // Its main file is dist/index.js; it exports no package.json.
  return path.dirname(path.dirname(createRequire(import.meta.url).resolve('node-llama-cpp')));
}

/** Looks what is installed and compiled. Libraries are looked for only where their GPU is. */
export async function findInstalledAddons(devices: Devices, root = addonPackageFolder()): Promise<InstalledAddons> {
  const { version } = z.looseObject({ version: z.string() }).parse(await readJson(path.join(root, 'package.json')));
  const { release } = z.looseObject({ release: z.string() }).parse(await readJson(path.join(root, 'llama/binariesGithubRelease.json')));
  const builds = await findLocalBuilds(root);
  const found = await Promise.all(EngineGpu.options.map((gpu) => findPrebuilt(root, gpu, devices)));
  const prebuilts = found.flatMap((prebuilt) => prebuilt ?? []);
  return { version, release, builds, prebuilts, cudaFallback: await findCudaFallback(root, devices) };
}

/** Finished builds for this platform, newest first. */
export async function findLocalBuilds(root = addonPackageFolder()): Promise<LocalBuild[]> {
  const parent = path.join(root, 'llama/localBuilds');
  const names = await readdir(parent).catch((): string[] => []);
  const builds = await Promise.all(names.map((name) => readLocalBuild(path.join(parent, name))));
  return builds.flatMap((build) => build ?? []).toSorted((a, b) => b.builtAtMs - a.builtAtMs);
}

async function readLocalBuild(folder: string): Promise<LocalBuild | null> {
  const done = await stat(path.join(folder, 'buildDone.status')).catch(() => null);
  if (done === null || !existsSync(path.join(folder, buildConfiguration, addonFile))) return null;
  const metadata = BuildMetadata.safeParse(
    await readJson(path.join(folder, buildConfiguration, '_nlcBuildMetadata.json')).catch(() => null),
  );
  if (!metadata.success) return null;
  const { gpu, customCmakeOptions, ...built } = metadata.data.buildOptions;
  if (built.platform !== platform || built.arch !== process.arch) return null;
  return { gpu: gpu === false ? 'off' : gpu, cmakeOptions: customCmakeOptions, folder, builtAtMs: done.mtimeMs };
}

async function findPrebuilt(root: string, gpu: EngineGpu, devices: Devices): Promise<Prebuilt | null> {
  const name = prebuiltName(gpu);
  const binaries = packageFolder(root, `@node-llama-cpp/${name}`);
  if (binaries === null) return null;
  const folder = path.join(binaries, 'bins', name);
  if (!existsSync(path.join(folder, addonFile))) return null;
  return { gpu, folder, missing: await missingOf(gpu, path.join(folder, `libggml-${gpu}.so`), devices) };
}

async function findCudaFallback(root: string, devices: Devices): Promise<Prebuilt | null> {
  const name = prebuiltName('cuda');
  const binaries = packageFolder(root, `@node-llama-cpp/${name}-ext`);
  if (binaries === null) return null;
  const folder = path.join(binaries, 'bins', name, 'fallback');
  const library = path.join(folder, 'libggml-cuda.so');
  return existsSync(library) ? { gpu: 'cuda', folder, missing: await missingOf('cuda', library, devices) } : null;
}

async function missingOf(gpu: EngineGpu, library: string, devices: Devices): Promise<string[]> {
  return hasDevice(gpu, devices) && existsSync(library) ? await missingLibraries(library) : [];
}

/** npm's name of the binaries: linux-x64, linux-x64-cuda, mac-arm64-metal and so on. */
export function prebuiltName(gpu: EngineGpu): string {
  const arch = process.arch === 'arm' ? 'armv7l' : process.arch;
  return `${platform}-${arch}${gpu === 'off' ? '' : `-${gpu}`}`;
}

function packageFolder(root: string, name: string): string | null {
  try {
    return path.dirname(path.dirname(createRequire(path.join(root, 'package.json')).resolve(name)));
  } catch {
    return null;
  }
}

async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'));
}
