import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LocalLauncher } from '../../../../src/train/launchers/local-launcher.ts';
import { runFolder } from '../../../../src/train/run-folder.ts';
import { eventually } from '../../../integration/support/eventually.ts';
import { errorOf } from '../../../support/error-of.ts';
import { deafTrainer, fakeTrainer } from '../../../support/fake-trainer.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

function setUp(script: string, devices: readonly string[] = []) {
  const home = temporaryFolder();
  const folder = runFolder(home, 'run-1');
  mkdirSync(folder.root, { recursive: true });
  const python = fakeTrainer(home, script);
  const launcher = new LocalLauncher({ python: async () => python, devices: async () => devices });
  const start = async (slots: readonly number[], processes = 1) => {
    const trainer = await launcher.start({ folder, basePath: '', processes, slots, startedAt: '2026-11-24T09:00:00Z' });
    onTestFinished(async () => await launcher.kill(trainer));
    return trainer;
  };
  return { folder, launcher, start };
}

describe('LocalLauncher', () => {
  it('has a slot for each GPU, and one on a machine without', async () => {
    expect(await setUp('').launcher.slots()).toBe(1);
    expect(await setUp('', ['0', '1', '3']).launcher.slots()).toBe(3);
  });

  it('shows a trainer the GPUs of its slots alone', async () => {
    const { folder, start } = setUp('echo "$CUDA_VISIBLE_DEVICES" > "$root/devices"', ['4', '6', '7']);
    await start([0, 2], 2);
    const read = async (): Promise<string> => await readFile(path.join(folder.root, 'devices'), 'utf8').catch(() => '');
    await eventually('it has told', async () => (await read()).endsWith('\n'));
    expect(await read()).toBe('4,7\n');
  });

  it('refuses more processes than there are GPUs', async () => {
    const { start } = setUp('', ['0', '1']);
    const error = await errorOf(async () => await start([0, 1], 3));
    expect(error.message).toContain('--set trainer.processes=2');
  });

  it('kills a trainer that hears nothing, with its children', async () => {
    const { folder, launcher, start } = setUp(deafTrainer);
    const trainer = await start([0]);
    const child = async (): Promise<string> => await readFile(path.join(folder.root, 'child'), 'utf8').catch(() => '');
    await eventually('it has a child', async () => (await child()).endsWith('\n'));
    const pid = Number(await child());
    await launcher.stop(trainer);
    expect(await launcher.isAlive(trainer, folder)).toBe(true);
    await launcher.kill(trainer);
    await eventually('both are gone', async () => {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      return command === '' && !(await launcher.isAlive(trainer, folder));
    });
  });

  it('gives the trainer that runs already, in place of a second one', async () => {
    const { start } = setUp('sleep 5');
    const [first, second] = [await start([0]), await start([0])];
    expect(second).toEqual(first);
  });

  it('knows nothing of trainers of other launchers', async () => {
    const { folder, launcher } = setUp('');
    const other = { kind: 'ray' as const, submissionId: 'x', folder: '/x', startedAt: '2026-11-24T09:00:00Z' };
    await launcher.stop(other);
    await launcher.kill(other);
    expect(await launcher.isAlive(other, folder)).toBe(false);
  });
});
