import { z } from 'zod';
import { OSLER_ERR_LAUNCHER_UNSUITABLE } from '../../core/errors.ts';
import type { TrainJob } from '../../core/schema/train-job.ts';

/** What a host tells of itself. */
export const HostDescription = z.object({
  python: z.tuple([z.int(), z.int(), z.int()]),
  missing: z.array(z.string()).describe('packages that were asked for and are not installed'),
  cores: z.int(),
  freeBytes: z.number(),
  gpus: z.array(z.object({ index: z.string(), name: z.string(), memory: z.string() })).describe('as nvidia-smi shows them'),
  workDir: z.string().describe('absolute'),
});
export type HostDescription = z.infer<typeof HostDescription>;

const leastPython = [3, 11] as const;
const dryPackages = ['pydantic', 'jinja2'];
/** What every training imports. */
export const trainingPackages = [...dryPackages, 'torch', 'transformers', 'trl', 'peft', 'datasets', 'accelerate', 'safetensors'];

/** Packages that a job's trainer imports. */
export function packagesOf(job: TrainJob): string[] {
  if (job.dryRun) return dryPackages;
  return job.recipe.backend === 'unsloth' ? [...trainingPackages, 'unsloth'] : trainingPackages;
}

/**
 * Refuses a host that cannot run a job before anything is sent there.
 *
 * @throws OSLER_ERR_LAUNCHER_UNSUITABLE
 */
export function checkHost(name: string, host: HostDescription, python: string, job: TrainJob): void {
  const [major, minor] = host.python;
  if (major !== leastPython[0] || minor < leastPython[1])
    throw new OSLER_ERR_LAUNCHER_UNSUITABLE(
      name,
      `"${python}" there is Python ${major}.${minor}, and the trainer needs ${leastPython.join('.')} or newer. Name another one as "python" in launchers.json.`,
    );
  if (host.missing.length > 0)
    throw new OSLER_ERR_LAUNCHER_UNSUITABLE(
      name,
      `"${python}" there lacks ${host.missing.join(', ')}. Install what python/requirements-cuda.txt lists (docs/launchers.md shows how), or name the Python that has it as "python" in launchers.json.`,
    );
  if (job.recipe.backend === 'unsloth' && host.gpus.length === 0 && !job.dryRun)
    throw new OSLER_ERR_LAUNCHER_UNSUITABLE(
      name,
      'the recipe asks for the backend unsloth, and nvidia-smi shows no GPU there. Mend the driver (try: nvidia-smi), choose another launcher, or train with: --set backend=peft',
    );
}
