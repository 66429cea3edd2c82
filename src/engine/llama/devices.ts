import { readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { EngineGpu } from './backend-choice.ts';

/** What this machine plainly has, without asking any driver. */
export interface Devices {
  readonly cpuModel: string;
  readonly hasNvidia: boolean;
  /** Version of NVIDIA's kernel module; null: unknown, as under WSL. */
  readonly nvidiaDriver: string | null;
  /** Whether there is a GPU that Vulkan could find. */
  readonly hasGraphics: boolean;
  readonly hasMetal: boolean;
}

/** `dxg` is the GPU of the Windows around WSL, whoever made it; `nvmap` a Jetson's. */
const nvidiaNodes = ['nvidiactl', 'nvmap', 'dxg'];

/** Looks for GPUs. `root` is where the machine's /dev and /proc are, for tests. */
export async function findDevices(root = '/'): Promise<Devices> {
  const nodes = await readdir(path.join(root, 'dev')).catch((): string[] => []);
  const hasNvidia = nvidiaNodes.some((node) => nodes.includes(node));
  // A server's plain display has a card node only; what can compute has a render node.
  const hasRenderNode = (await readdir(path.join(root, 'dev/dri')).catch((): string[] => [])).some((node) => node.startsWith('renderD'));
  const module = await readFile(path.join(root, 'proc/driver/nvidia/version'), 'utf8').catch(() => '');
  return {
    cpuModel: os.cpus()[0]?.model ?? process.arch,
    hasNvidia,
    nvidiaDriver: /\s(\d+\.\d+(?:\.\d+)?)\s/.exec(module)?.[1] ?? null,
    hasGraphics: hasNvidia || hasRenderNode,
    hasMetal: process.platform === 'darwin' && process.arch === 'arm64',
  };
}

/** Whether there is something to compute on for that kind of engine; for the CPU always. */
export function hasDevice(gpu: EngineGpu, devices: Devices): boolean {
  return { cuda: devices.hasNvidia, metal: devices.hasMetal, vulkan: devices.hasGraphics, off: true }[gpu];
}
