import { execa } from 'execa';
import { childEnvironment } from '../../core/config.ts';

const queryTimeoutMs = 20_000;

/**
 * GPUs of this machine that a trainer may use, as CUDA_VISIBLE_DEVICES names them: those of our own, or all that nvidia-smi
 * lists. Empty on a machine without.
 */
export async function listCudaDevices(environment: NodeJS.ProcessEnv = childEnvironment({})): Promise<string[]> {
  const query = await execa('nvidia-smi', ['--query-gpu=index', '--format=csv,noheader'], {
    reject: false,
    timeout: queryTimeoutMs,
    env: environment,
    extendEnv: false,
  });
  if (query.exitCode !== 0) return [];
  const all = query.stdout.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  const visible = environment['CUDA_VISIBLE_DEVICES'];
  if (visible === undefined || all.length === 0) return all;
  return knownUpToFirstUnknown(
    visible.split(',').map((name) => name.trim()),
    all,
  );
}

/** CUDA reads the list up to the first name that it does not know. Names of devices (GPU-…, MIG-…) are taken as they are. */
function knownUpToFirstUnknown(names: readonly string[], all: readonly string[]): string[] {
  const isKnown = (name: string): boolean => all.includes(name) || /^(?:GPU|MIG)-/.test(name);
  const end = names.findIndex((name) => !isKnown(name));
  return [...new Set(end === -1 ? names : names.slice(0, end))];
}
