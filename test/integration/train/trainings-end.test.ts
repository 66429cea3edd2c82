import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../src/core/errors.ts';
import { readEvents } from '../../../src/train/event-file.ts';
import { errorOf } from '../../support/error-of.ts';
import { deafTrainer, patientTrainer, quickTrainer } from '../../support/fake-trainer.ts';
import { changedLauncher, fakeExport, fakeTrainings } from '../../support/fake-trainings.ts';

describe('stop', () => {
  it('saves and stops a run that trains, and resume goes on with it', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const id = fake.create();
    const work = fake.trainings.execute(id).catch(messageOf);
    await fake.untilState(id, 'training');
    expect(fake.trainings.stop(id).state).toBe('training');
    expect(await work).toMatch(/was stopped after step 1 of 4, and a checkpoint was saved\. Go on with/);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'stopped', error: null, trainer: null });
    expect(fake.trainings.stop(id).state).toBe('stopped');
    fake.play(quickTrainer);
    expect((await fake.trainings.resume(id)).state).toBe('queued');
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id).state).toBe('done');
  });

  it('reaches the process that works on the run', async () => {
    const server = await fakeTrainings({ script: patientTrainer });
    const id = server.create();
    const work = server.trainings.execute(id).catch(messageOf);
    await server.untilStep(id);
    const command = await fakeTrainings({ home: server.home });
    expect(command.trainings.isAbandoned(id)).toBe(false);
    command.trainings.stop(id);
    expect((await command.trainings.settled(id)).state).toBe('stopped');
    expect(await work).toContain('was stopped');
  });

  it('stops the trainer of a process that has died', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const id = fake.create();
    const folder = fake.trainings.folder(id);
    const isAlive = await fake.abandon(id);
    expect(await isAlive()).toBe(true);
    fake.trainings.stop(id);
    expect(fake.trainings.isAbandoned(id)).toBe(true);
    await expect(fake.trainings.execute(id)).rejects.toThrow('was stopped after step 1');
    expect(await isAlive()).toBe(false);
    expect((await readEvents(folder.events)).at(-1)?.type).toBe('stopped');
  });

  it('breaks off an export, which resume begins again', async () => {
    let isFirst = true;
    const fake = await fakeTrainings({
      script: quickTrainer,
      deps: {
        exportRun: async (_run, folder, { signal }) => {
          if (!isFirst) return await fakeExport(folder);
          isFirst = false;
          return await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('broken off'))));
        },
      },
    });
    const id = fake.create();
    const work = fake.trainings.execute(id).catch(messageOf);
    await fake.untilState(id, 'converting');
    fake.trainings.stop(id);
    expect(await work).toBe(`Run "${id}" was stopped. Go on with: npx osler train --resume ${id}`);
    expect(fake.trainings.get(id).state).toBe('stopped');
    await fake.trainings.resume(id);
    await fake.trainings.execute(id);
    expect([fake.trainings.get(id).state, await fake.startsOf(id)]).toEqual(['done', 1]);
  });

  it('has nothing to do with a run that has ended', async () => {
    const fake = await fakeTrainings({ script: quickTrainer });
    for (const state of ['done', 'failed', 'cancelled'] as const) {
      const id = fake.create();
      fake.runs.setState(id, state);
      expect((await errorOf(() => fake.trainings.stop(id))).message).toContain('nothing left to stop');
    }
  });
});

describe('cancel', () => {
  it.each(['slots', 'start'] as const)('ends a run for good that is about to go on, by another process, in %s', async (step) => {
    const fake = await fakeTrainings({
      script: patientTrainer,
      wrap: (launcher) =>
        changedLauncher(launcher, {
          slots: async () => {
            if (step === 'slots') other.trainings.cancel(id);
            return await launcher.slots();
          },
          start: async (options) => {
            other.trainings.cancel(id);
            return await launcher.start(options);
          },
        }),
    });
    const other = await fakeTrainings({ home: fake.home });
    const id = fake.create();
    await expect(fake.trainings.execute(id)).rejects.toThrow(`Run "${id}" was cancelled.`);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'cancelled', trainer: null, error: null });
    if (step === 'slots') expect(await fake.startsOf(id)).toBe(0);
    expect(fake.models.list()).toEqual([]);
  });

  it('kills a trainer that does not listen', async () => {
    const fake = await fakeTrainings({ script: deafTrainer, deps: { times: { graceMs: 200 } } });
    const id = fake.create();
    const work = fake.trainings.execute(id).catch(messageOf);
    await fake.untilStep(id);
    fake.trainings.cancel(id);
    await work;
    expect(fake.trainings.get(id)).toMatchObject({ state: 'cancelled', trainer: null });
  });

  it('ends the trainer of a process that has died', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const id = fake.create();
    const isAlive = await fake.abandon(id);
    fake.trainings.cancel(id);
    expect(fake.trainings.isAbandoned(id)).toBe(true);
    await fake.trainings.execute(id).catch(messageOf);
    expect(await isAlive()).toBe(false);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'cancelled', trainer: null });
    expect(fake.trainings.isAbandoned(id)).toBe(false);
  });

  it.each(['this', 'another'] as const)('in the very moment of registration, by %s process, registers nothing', async (who) => {
    const fake = await fakeTrainings({
      script: quickTrainer,
      deps: {
        certifyRun: async (run) => {
          // Another one's wish is seen at the next look only, when it would be too late.
          if (who === 'this') fake.trainings.cancel(run.id);
          else fake.runs.moveState(run.id, ['certifying'], 'cancelled');
          return await Promise.resolve({ passed: true });
        },
      },
    });
    const id = fake.create();
    await expect(fake.trainings.execute(id)).rejects.toThrow('was cancelled');
    expect(fake.trainings.get(id).state).toBe('cancelled');
    expect(fake.models.list()).toEqual([]);
  });

  it('leaves a run that is done or has failed as it is', async () => {
    const fake = await fakeTrainings();
    for (const state of ['done', 'failed'] as const) {
      const id = fake.create();
      fake.runs.setState(id, state);
      expect((await errorOf(() => fake.trainings.cancel(id))).code).toBe('OSLER_ERR_RUN_STATE');
      expect(fake.trainings.get(id).state).toBe(state);
    }
  });
});
