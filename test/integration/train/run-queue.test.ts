import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../src/core/errors.ts';
import { placeInQueue } from '../../../src/train/run-queue.ts';
import { eventually } from '../support/eventually.ts';
import { patientTrainer, quickTrainer } from '../../support/fake-trainer.ts';
import { changedLauncher, type FakeTrainings, fakeTrainings } from '../../support/fake-trainings.ts';

/** Tells which GPUs it was given, and holds them until the run is told to go. */
const gpuTrainer = `echo "$CUDA_VISIBLE_DEVICES" > "$root/devices"; stage training; progress 1; while [ ! -e "$root/go" ]; do sleep 0.02; done; ${quickTrainer}`;

async function devicesOf(fake: FakeTrainings, id: string): Promise<string> {
  return (await readFile(path.join(fake.trainings.folder(id).root, 'devices'), 'utf8')).trim();
}

async function letGo(fake: FakeTrainings, id: string): Promise<void> {
  await writeFile(path.join(fake.trainings.folder(id).root, 'go'), '');
}

describe('the queue', () => {
  it('lets one run at a time train on a machine without GPU, the earliest first', async () => {
    const order: string[] = [];
    const fake = await fakeTrainings({ script: `stage training; sleep 0.1; ${quickTrainer}` });
    const ids = [fake.create(), fake.create(), fake.create()];
    const [first = '', second = '', third = ''] = ids;
    const isAlone = (): boolean => fake.trainings.list().filter(({ state }) => state === 'training').length <= 1;
    const execute = async (id: string): Promise<void> =>
      await fake.trainings.execute(id, {
        onEvent: (event) => {
          if (event.type === 'progress') order.push(id);
          expect(isAlone()).toBe(true);
        },
      });
    const work = [execute(first)];
    await fake.untilState(first, 'preparing');
    work.push(execute(third), execute(second));
    await Promise.all(work);
    expect([...new Set(order)]).toEqual(ids);
  });

  it('gives two runs on two GPUs one each, and the third the one that is free first', async () => {
    const fake = await fakeTrainings({ script: gpuTrainer, devices: ['2', 'GPU-5f'] });
    const ids = [fake.create(), fake.create(), fake.create()];
    const steps: string[] = [];
    const work = ids.map(async (id) => await fake.trainings.execute(id, { onStep: (step) => steps.push(`${ids.indexOf(id)} ${step}`) }));
    const [first = '', second = '', third = ''] = ids;
    for (const id of [first, second]) await fake.untilState(id, 'training');
    await eventually('the third is told', () => steps.includes('2 waiting: next, once a slot of "local" is free'));
    expect([await devicesOf(fake, first), await devicesOf(fake, second)]).toEqual(['2', 'GPU-5f']);
    expect(fake.trainings.get(third)).toMatchObject({ state: 'queued', runsBefore: 0 });
    await letGo(fake, second);
    await fake.untilState(third, 'training');
    expect(await devicesOf(fake, third)).toBe('GPU-5f');
    for (const id of ids) await letGo(fake, id);
    await Promise.all(work);
  });

  it('keeps a run of two processes before those that came later, until it has both its GPUs', async () => {
    const fake = await fakeTrainings({ script: gpuTrainer, devices: ['0', '1'] });
    const single = fake.create();
    const recipe = { ...fake.recipe, trainer: { ...fake.recipe.trainer, processes: 2 } };
    const double = fake.trainings.create(recipe).run.id;
    const later = fake.create();
    const work = [single, double, later].map(async (id) => await fake.trainings.execute(id));
    await fake.untilState(single, 'training');
    await letGo(fake, later);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([fake.trainings.get(double).runsBefore, fake.trainings.get(later).runsBefore]).toEqual([0, 1]);
    await letGo(fake, single);
    await fake.untilState(double, 'training');
    expect(await devicesOf(fake, double)).toBe('0,1');
    await letGo(fake, double);
    await Promise.all(work);
  });

  it('is one for all processes that share the home', async () => {
    const server = await fakeTrainings({ script: gpuTrainer });
    const command = await fakeTrainings({ home: server.home });
    const [first, second] = [server.create(), command.create()];
    const work = [server.trainings.execute(first), command.trainings.execute(second)];
    await server.untilState(first, 'training');
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(command.trainings.get(second).state).toBe('queued');
    for (const id of [first, second]) await letGo(server, id);
    await Promise.all(work);
    expect([server.trainings.get(first).state, server.trainings.get(second).state]).toEqual(['done', 'done']);
  });

  it('passes over a run whose process has died, and takes the slot of one whose trainer has died too', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const [dead, waiting, later] = [fake.create(), fake.create(), fake.create()];
    const isAlive = await fake.abandon(dead);
    expect(fake.trainings.isAbandoned(waiting)).toBe(true);
    const work = fake.trainings.execute(later).catch(messageOf);
    await new Promise((resolve) => setTimeout(resolve, 150));
    // Its server is dead, but the trainer holds the GPU.
    expect([await isAlive(), fake.trainings.get(later).state]).toEqual([true, 'queued']);
    const { trainer } = fake.trainings.get(dead);
    process.kill(-(trainer?.kind === 'local' ? trainer.pid : 0), 'SIGKILL');
    await fake.untilState(later, 'training');
    expect(fake.trainings.get(waiting)).toMatchObject({ state: 'queued', runsBefore: 0 });
    fake.trainings.stop(later);
    await work;
    // Taken up again, it has to ask for a slot anew.
    fake.play(quickTrainer);
    await fake.trainings.execute(dead);
    expect(fake.trainings.get(dead).state).toBe('done');
  });

  it('does not give a GPU away twice while a launcher does not answer', async () => {
    let isDown = false;
    const fake = await fakeTrainings({
      script: patientTrainer,
      wrap: (launcher) =>
        changedLauncher(launcher, {
          isAlive: async (trainer, folder) => {
            if (isDown) throw new Error('no route to host');
            return await launcher.isAlive(trainer, folder);
          },
        }),
    });
    const [lost, waiting] = [fake.create(), fake.create()];
    await fake.abandon(lost);
    isDown = true;
    const work = fake.trainings.execute(waiting).catch(messageOf);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(fake.trainings.get(waiting).state).toBe('queued');
    fake.trainings.cancel(waiting);
    expect(await work).toContain('was cancelled');
  });

  it('lets go of a run that is stopped while it waits', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const [first, second] = [fake.create(), fake.create()];
    const work = [first, second].map(async (id) => await fake.trainings.execute(id).catch(messageOf));
    await fake.untilState(first, 'training');
    fake.trainings.stop(second);
    expect(await work[1]).toBe(`Run "${second}" was stopped. Go on with: npx osler train --resume ${second}`);
    expect([fake.trainings.get(second).state, await fake.startsOf(second)]).toEqual(['stopped', 0]);
    fake.trainings.stop(first);
    await work[0];
  });
});

describe('placeInQueue', () => {
  it('counts the runs before, and says nothing of a run that does not wait', () => {
    const place = (runsBefore: number | null): string => placeInQueue({ runsBefore, launcher: 'gpu-host' });
    expect([null, 0, 1, 2].map(place)).toEqual([
      '',
      'waiting: next, once a slot of "gpu-host" is free',
      'waiting: 1 run before this one',
      'waiting: 2 runs before this one',
    ]);
  });
});
