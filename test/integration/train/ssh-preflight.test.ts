import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../../src/core/package-root.ts';
import type { SshLauncher as SshSettings } from '../../../src/core/schema/launcher.ts';
import type { TrainJob } from '../../../src/core/schema/train-job.ts';
import { SshLauncher } from '../../../src/train/launchers/ssh-launcher.ts';
import { readTrainJob } from '../../../src/train/launchers/remote-job.ts';
import type { HostReply } from '../../../src/train/preflight/ask-trainer.ts';
import { errorOf } from '../../support/error-of.ts';
import { hostReport } from '../../support/host-report.ts';
import { Sshd, whyNoSshd } from '../../support/sshd.ts';
import { preparedRun } from '../support/prepared-run.ts';

const skipReason = await whyNoSshd();
const token = 'hf_not_to_be_seen';

let folder = '';
let sshd: Sshd;

beforeAll(async () => {
  if (skipReason !== undefined) return;
  folder = await mkdtemp(path.join(os.tmpdir(), 'osler-ask-'));
  sshd = await Sshd.create(folder);
  await sshd.start();
  const trainer = path.join(folder, 'fake/osler_trainer');
  await mkdir(trainer, { recursive: true });
  await copyFile(path.join(packageRoot, 'test/integration/support/fake-preflight.py'), path.join(trainer, '__main__.py'));
  await writeFile(path.join(trainer, 'report.json'), JSON.stringify(hostReport()));
});
afterAll(async () => {
  if (skipReason !== undefined) return;
  await sshd.stop();
  await rm(folder, { recursive: true, force: true });
});

const work = (): string => path.join(folder, 'work');

function launcher(change: Partial<SshSettings> = {}): SshLauncher {
  return new SshLauncher('gpu', sshd.settings({ threads: 7, ...change }), {
    home: path.join(folder, 'home'),
    secrets: { HF_TOKEN: token },
    sources: path.join(folder, 'fake'),
    patience: { firstMs: 20, mostMs: 200, tries: 3 },
  });
}

/** Asks about a prepared job with these changes. */
async function ask(gpu: SshLauncher, change: (job: TrainJob) => TrainJob = (job) => job, signal?: AbortSignal): Promise<HostReply> {
  const prepared = await preparedRun({ home: path.join(folder, 'home'), id: 'check' });
  const circumstances = { hasWeights: true, exportsThere: false, isBusy: false };
  return await gpu.askTrainer({ folder: prepared, job: change(await readTrainJob(prepared)), circumstances, signal });
}

/** What the fake trainer saw. */
function seen(reply: HostReply): Record<string, string> {
  if (reply.kind !== 'report') throw new Error(reply.why);
  return reply.report.versions;
}

describe.skipIf(skipReason !== undefined)(`SshLauncher.askTrainer (${skipReason ?? 'with a real sshd'})`, () => {
  it('asks the trainer of the host, with rows and template there, and leaves its sources alone behind', async () => {
    const there = seen(await ask(launcher()));
    expect(there).toMatchObject({ flags: '--job --export-elsewhere', base: 'owner/name', template: 'True', threads: '7', token });
    expect(there['rows']).toContain('Question 3?');
    expect(there['job']).toMatch(/work\/checks\/[\w-]+\/job\.json$/);
    expect(there['outputDir']).toBe(path.dirname(there['job'] ?? ''));
    expect(there['arguments']).not.toContain(token);
    expect(await readdir(work())).toEqual(expect.arrayContaining(['checks', 'sources']));
    expect(await readdir(path.join(work(), 'checks'))).toEqual([]);
    expect(existsSync(path.join(work(), 'runs'))).toBe(false);
  });

  it('sends config and tokenizer of a base of this machine, and no weights', async () => {
    const base = path.join(folder, 'base');
    await mkdir(base);
    for (const name of ['config.json', 'tokenizer.json', 'model.safetensors', 'model.gguf']) await writeFile(path.join(base, name), '{}');
    const there = seen(await ask(launcher(), (job) => ({ ...job, basePath: base })));
    expect(there).toMatchObject({ base: 'config.json tokenizer.json', flags: '--job --without-weights --export-elsewhere' });
    expect(existsSync(path.join(work(), 'models'))).toBe(false);
  });

  it('tells how a trainer ended that gives no report, and cleans up after it too', async () => {
    const unlucky = (job: TrainJob): TrainJob => ({ ...job, recipe: { ...job.recipe, lora: { ...job.recipe.lora, randomState: 13 } } });
    expect(await ask(launcher(), unlucky)).toEqual({ kind: 'silent', why: expect.stringMatching(/ended with 3 .*an unlucky number/s) });
    expect(await readdir(path.join(work(), 'checks'))).toEqual([]);
  });

  it('throws what keeps the host from being asked', async () => {
    const codeOf = async (gpu: SshLauncher): Promise<string> => (await errorOf(() => ask(gpu))).code;
    expect(await codeOf(launcher({ port: 1 }))).toBe('OSLER_ERR_LAUNCHER_UNREACHABLE');
    expect(await codeOf(launcher({ python: '/none/python' }))).toBe('OSLER_ERR_LAUNCHER_UNSUITABLE');
    expect(await codeOf(launcher({ identityFile: sshd.otherKey }))).toBe('OSLER_ERR_LAUNCHER_KEY_REFUSED');
  });

  it('ends at once when it is told to', async () => {
    const reason = new Error('enough');
    await expect(ask(launcher(), (job) => job, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
