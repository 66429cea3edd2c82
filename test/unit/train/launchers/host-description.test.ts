import { describe, expect, it } from 'vitest';
import type { TrainJob } from '../../../../src/core/schema/train-job.ts';
import { checkHost, HostDescription, packagesOf } from '../../../../src/train/launchers/host-description.ts';
import { readTrainJob } from '../../../../src/train/launchers/remote-job.ts';
import { preparedRun } from '../../../integration/support/prepared-run.ts';
import { errorOf } from '../../../support/error-of.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const host = HostDescription.parse({ python: [3, 11, 2], missing: [], cores: 8, freeBytes: 1e12, gpus: [], workDir: '/work' });
const jobOf = async (backend: TrainJob['recipe']['backend']): Promise<TrainJob> => {
  const job = await readTrainJob(await preparedRun({ home: temporaryFolder(), id: 'run-1' }));
  return { ...job, dryRun: false, recipe: { ...job.recipe, backend } };
};
const problem = async (change: Partial<HostDescription>, backend: TrainJob['recipe']['backend'] = 'auto'): Promise<string> => {
  const job = await jobOf(backend);
  const error = await errorOf(() => checkHost('gpu', { ...host, ...change }, 'venv/bin/python', job));
  expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNSUITABLE');
  return error.message;
};

describe('checkHost', () => {
  it('takes a host that has what the job needs', async () => {
    const auto = await jobOf('auto');
    expect(() => checkHost('gpu', host, 'python3', auto)).not.toThrow();
    const unsloth = await jobOf('unsloth');
    const gpus = [{ index: '0', name: 'H100', memory: '81559 MiB' }];
    expect(() => checkHost('gpu', { ...host, gpus }, 'python3', unsloth)).not.toThrow();
  });

  it('names what is wrong and what to do', async () => {
    expect(await problem({ python: [3, 9, 1] })).toMatch(/is Python 3\.9, .*needs 3\.11 or newer/);
    expect(await problem({ missing: ['torch', 'trl'] })).toMatch(/"venv\/bin\/python" there lacks torch, trl\. .*requirements-cuda\.txt/);
    expect(await problem({}, 'unsloth')).toMatch(/no GPU there.*--set backend=peft/);
  });
});

describe('packagesOf', () => {
  it('asks for unsloth where the recipe does, and for little in a dry run', async () => {
    const job = await jobOf('unsloth');
    expect(packagesOf(job)).toContain('unsloth');
    expect(packagesOf(await jobOf('peft'))).not.toContain('unsloth');
    expect(packagesOf({ ...job, dryRun: true })).toEqual(['pydantic', 'jinja2']);
  });
});
