import { z } from 'zod';
import { messageOf, OSLER_ERR_LAUNCHER_UNKNOWN } from '../../core/errors.ts';
import type { RayLauncher, SshLauncher } from '../../core/schema/launcher.ts';
import { trainingPackages } from './host-description.ts';
import { launcherFilePath, readLaunchers } from './launcher-file.ts';
import { defaultPatience } from './patience.ts';
import { RayClient } from './ray-client.ts';
import { RayStorage } from './ray-storage.ts';
import { SshHost } from './ssh-host.ts';

/** What a launcher would train on. */
export interface LauncherCheck {
  readonly name: string;
  /** `limited`: it trains, without a GPU. */
  readonly level: 'ok' | 'limited' | 'failure';
  /** What was found, or why it cannot be used and what to do. */
  readonly text: string;
}

const Torch = z.object({ torch: z.string().nullable(), device: z.string().nullable() });
const torchTimeoutMs = 150_000;

/**
 * Asks a launcher of launchers.json whether it can be reached and what its trainers would run on. Starts nothing there.
 *
 * @throws OSLER_ERR_LAUNCHER_UNKNOWN, OSLER_ERR_LAUNCHER_FILE
 */
export async function checkLauncher(name: string, { home, signal }: { home: string; signal?: AbortSignal }): Promise<LauncherCheck> {
  const described = await readLaunchers(home);
  const settings = Object.hasOwn(described, name) ? described[name] : undefined;
  if (settings === undefined) throw new OSLER_ERR_LAUNCHER_UNKNOWN(name, Object.keys(described).join(', '), launcherFilePath(home));
  try {
    return { name, ...(await (settings.kind === 'ssh' ? checkSsh(name, settings, home, signal) : checkRay(name, settings, signal))) };
  } catch (error) {
    signal?.throwIfAborted();
    return { name, level: 'failure', text: messageOf(error) };
  }
}

type Outcome = Omit<LauncherCheck, 'name'>;

async function checkSsh(name: string, settings: SshLauncher, home: string, signal?: AbortSignal): Promise<Outcome> {
  const host = new SshHost(name, settings, { home, patience: defaultPatience });
  const { python, missing, gpus, cores, freeBytes, workDir } = await host.describe(trainingPackages, signal);
  const facts = `Python ${python.join('.')}, ${cores} cores, ${(freeBytes / 1e9).toFixed(0)} GB free in "${workDir}"`;
  if (missing.length > 0)
    return {
      level: 'failure',
      text: `${facts}; "${settings.python}" lacks ${missing.join(', ')}: install python/requirements-cuda.txt there`,
    };
  const { torch, device } = await host.ask({ request: { op: 'torch' }, reply: Torch, timeoutMs: torchTimeoutMs, signal });
  if (torch === null)
    return { level: 'failure', text: `${facts}; torch cannot be imported: try "${settings.python} -c 'import torch'" there` };
  if (device !== null) return { level: 'ok', text: `${gpus.length} × ${device}, torch ${torch}, ${facts}` };
  const why = gpus.length === 0 ? 'nvidia-smi shows no GPU' : `torch does not find the GPU that nvidia-smi shows (${gpus[0]?.name ?? ''})`;
  return { level: 'limited', text: `CPU only: ${why}; torch ${torch}, ${facts}` };
}

async function checkRay(name: string, settings: RayLauncher, signal?: AbortSignal): Promise<Outcome> {
  const resources = await new RayClient(name, settings.address).resources(signal);
  await new RayStorage(name, settings.storage).check();
  const gpus = resources['GPU'] ?? 0;
  const facts = `${gpus} GPUs and ${resources['CPU'] ?? 0} cores in the cluster, "${settings.storage}" can be written`;
  if (gpus < settings.gpus)
    return {
      level: 'failure',
      text: `${facts}; a run asks for ${settings.gpus} GPUs and would wait: set "gpus" in launchers.json, or add nodes`,
    };
  return { level: settings.gpus === 0 ? 'limited' : 'ok', text: facts };
}
