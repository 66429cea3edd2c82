import { mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import { childEnvironment } from '../../src/core/config.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import type { TrainEvent } from '../../src/core/schema/train-event.ts';
import { openStore } from '../../src/core/store.ts';
import { readEvents } from '../../src/train/event-file.ts';
import { runFolder } from '../../src/train/run-folder.ts';
import { RunStore } from '../../src/train/run-store.ts';
import { eventually } from '../integration/support/eventually.ts';
import { testHome } from '../support/test-home.ts';

const totalSteps = 5;
const words = [
  'train',
  '--preset=smoke',
  `--set=trainer.maxSteps=${totalSteps}`,
  '--set=trainer.perDeviceBatchSize=2',
  '--set=trainer.gradientAccumulationSteps=1',
  '--set=trainer.warmupSteps=1',
  '--set=trainer.loggingSteps=1',
  '--set=trainer.saveSteps=1',
  '--set=base.maxLengthTokens=512',
  '--set=data.limit=12',
  '--set=data.heldOutRows=0',
  '--json',
];

let home = '';

beforeAll(async () => {
  // A store of its own beside the kept model and caches.
  home = await mkdtemp(path.join(os.tmpdir(), 'osler-killed-'));
  for (const name of ['models', 'cache']) await symlink(path.join(testHome, name), path.join(home, name));
});
afterAll(async () => await rm(home, { recursive: true, force: true }));

function osler(...more: readonly string[]) {
  return execa(process.execPath, [path.join(packageRoot, 'bin/osler.js'), ...more], {
    cwd: packageRoot,
    reject: false,
    env: childEnvironment({ OSLER_HOME: home, OSLER_GPU: 'off', CI: 'true' }),
  });
}

/** Trains to the end and gives the run's id. */
async function train(...more: readonly string[]): Promise<string> {
  const result = await osler(...more);
  if (result.exitCode !== 0) throw new Error(result.stderr);
  return z.object({ run: z.string() }).parse(JSON.parse(result.stdout)).run;
}

async function eventsOf(id: string): Promise<TrainEvent[]> {
  return await readEvents(runFolder(home, id).events);
}

/** The last loss that was told of each step, and of the end. */
async function lossesOf(id: string): Promise<Map<number | 'end', number>> {
  const losses = new Map<number | 'end', number>();
  for (const event of await eventsOf(id)) {
    if (event.type === 'progress') losses.set(event.step, event.loss);
    if (event.type === 'finished') losses.set('end', event.finalLoss);
  }
  return losses;
}

it('ends with the very losses of an unbroken run after kill -9 of trainer and command at a random step', async () => {
  const unbroken = await train(...words);

  const step = 1 + Math.floor(Math.random() * (totalSteps - 1));
  const command = osler(...words);
  const runs = new RunStore(openStore(home), systemClock);
  await eventually('the second run is there', () => runs.list().length === 2, 60_000);
  const [{ id } = { id: '' }] = runs.list();
  const isThere = async (): Promise<boolean> => (await eventsOf(id)).some((event) => event.type === 'progress' && event.step === step);
  await eventually(`step ${step} is done`, isThere, 300_000);
  const { trainer } = runs.get(id);
  command.kill('SIGKILL');
  process.kill(trainer?.kind === 'local' ? trainer.pid : 0, 'SIGKILL');
  await command;
  expect(runs.get(id).state).toBe('training');

  expect(await train('train', '--resume', id, '--json')).toBe(id);
  expect(await lossesOf(id), `killed after step ${step}`).toEqual(await lossesOf(unbroken));
  expect((await eventsOf(id)).filter((event) => event.type === 'started')).toHaveLength(2);
  // To the last bit of the adapter.
  const adapter = async (run: string) => (await eventsOf(run)).findLast((event) => event.type === 'artifact' && event.kind === 'adapter');
  const weights = async (run: string): Promise<string | undefined> => {
    const event = await adapter(run);
    return event?.type === 'artifact' ? event.files.find((file) => file.path === 'adapter_model.safetensors')?.sha256 : undefined;
  };
  expect(await weights(id)).toBe(await weights(unbroken));
  expect(await weights(id)).toBeDefined();
});
