import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../src/core/errors.ts';
import { parseHubId } from '../../../src/core/hub/hub-id.ts';
import type { Launcher, StartOptions, TrainedArtifact } from '../../../src/train/launchers/launcher.ts';
import { patientTrainer, quickTrainer } from '../../support/fake-trainer.ts';
import { changedLauncher, fakeTrainings } from '../../support/fake-trainings.ts';

describe('trainings on another machine', () => {
  it('see nothing but what the launcher brings, and fetch what the trainer made', async () => {
    const calls: string[] = [];
    const fetched: TrainedArtifact[] = [];
    const fake = await fakeTrainings({
      script: quickTrainer,
      wrap: (launcher) =>
        changedLauncher(launcher, {
          sync: async (trainer, folder) => {
            calls.push('sync');
            await launcher.sync(trainer, folder);
          },
          fetch: async (_trainer, folder, artifacts) => {
            // On the way the trainer has ended, and its GPU is free.
            calls.push('fetch', fake.runs.get(id).state, String(fake.runs.slots.holders('local').length));
            fetched.push(...artifacts);
            await writeFile(`${folder.merged}/fetched`, '');
          },
        }),
      deps: {
        exportRun: async (_run, folder) => {
          calls.push(await readFile(`${folder.merged}/fetched`, 'utf8'));
          return await Promise.reject(new Error('far enough'));
        },
      },
    });
    const id = fake.create();
    await expect(fake.trainings.execute(id)).rejects.toThrow('far enough');
    expect(calls.filter((call) => call !== 'sync')).toEqual(['fetch', 'merging', '0', '']);
    expect(calls[0]).toBe('sync');
    expect(fetched.map(({ kind }) => kind)).toEqual(['merged']);
    expect(fake.trainings.get(id).trainer).toBeNull();
  });

  it('ask at most as often as they are told to', async () => {
    const asked: number[] = [];
    const fake = await fakeTrainings({
      script: `stage training; sleep 1; ${quickTrainer}`,
      wrap: (launcher) =>
        changedLauncher(launcher, {
          sync: async () => {
            asked.push(performance.now());
            await Promise.resolve();
          },
        }),
      deps: { times: { pollMs: 10, syncMs: 200 } },
    });
    const startedMs = performance.now();
    await fake.trainings.execute(fake.create());
    // 1 s at one in 200 ms, and some that hurry after the last word.
    expect(asked.length).toBeGreaterThan(3);
    expect(asked.length).toBeLessThan((performance.now() - startedMs) / 200 + 8);
  });

  it('fetch again where fetching failed, and train no second time', async () => {
    let isBroken = true;
    const fake = await fakeTrainings({
      script: quickTrainer,
      wrap: (launcher) =>
        changedLauncher(launcher, {
          fetch: async () => {
            if (isBroken) throw new Error('the connection broke');
            await Promise.resolve();
          },
        }),
    });
    const id = fake.create();
    await expect(fake.trainings.execute(id)).rejects.toThrow('the connection broke');
    expect(fake.trainings.get(id)).toMatchObject({ state: 'failed', trainer: { kind: 'local' } });
    expect(fake.models.list()).toEqual([]);
    // Half of it may be here already: only what was fetched whole counts.
    isBroken = false;
    await rm(fake.trainings.folder(id).merged, { recursive: true });
    await fake.trainings.resume(id);
    await fake.trainings.execute(id);
    expect([fake.trainings.get(id).state, fake.trainings.get(id).trainer, await fake.startsOf(id)]).toEqual(['done', null, 1]);
  });

  it('leave the fetching of a base on the Hub to it', async () => {
    const started: StartOptions[] = [];
    const fake = await fakeTrainings({
      wrap: (launcher) =>
        changedLauncher(launcher, {
          start: async (options) => {
            started.push(options);
            return await Promise.reject(new Error('far enough'));
          },
        }),
    });
    const recipe = { ...fake.recipe, base: { ...fake.recipe.base, ref: 'unsloth/DeepSeek-R1-Distill-Llama-8B' } };
    expect(parseHubId(recipe.base.ref)).toBeDefined();
    const { id } = fake.trainings.create(recipe, null, { launcher: 'gpu-host' }).run;
    await expect(fake.trainings.execute(id)).rejects.toThrow('far enough');
    expect(started[0]).toMatchObject({ basePath: recipe.base.ref, processes: 1, slots: [0] });
    expect(fake.runs.slots.holders('gpu-host')).toEqual([]);
  });
});

describe('a launcher that does not answer', () => {
  function flaky(isDown: () => boolean): (launcher: Launcher) => Launcher {
    return (launcher) =>
      changedLauncher(launcher, {
        isAlive: async (trainer, folder) => {
          if (isDown()) throw new Error('"gpu-host" does not answer.');
          return await launcher.isAlive(trainer, folder);
        },
        sync: async (trainer, folder) => {
          if (isDown()) throw new Error('"gpu-host" does not answer.');
          await launcher.sync(trainer, folder);
        },
      });
  }

  it('is forgiven for a while, and a silent trainer behind it is not killed', async () => {
    let isDown = false;
    const fake = await fakeTrainings({
      script: `stage training; progress 1; heartbeat 1 0; sleep 2; ${quickTrainer}`,
      wrap: flaky(() => isDown),
      deps: { times: { silentMs: 1000 } },
    });
    const id = fake.create();
    const work = fake.trainings.execute(id);
    await fake.untilStep(id);
    isDown = true;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(fake.trainings.get(id).state).toBe('training');
    isDown = false;
    await work;
    expect(fake.trainings.get(id).state).toBe('done');
  });

  it('fails the run after too long, without giving its trainer or its GPU up: resume finds them again, and cancel ends them', async () => {
    let isDown = false;
    const fake = await fakeTrainings({ script: patientTrainer, wrap: flaky(() => isDown), deps: { times: { unreachableMs: 200 } } });
    const id = fake.create();
    const work = fake.trainings.execute(id).catch(messageOf);
    await fake.untilStep(id);
    isDown = true;
    expect(await work).toMatch(
      /cannot be reached any more after step 1 of 4: "gpu-host" does not answer\. The trainer may still be at work/,
    );
    expect(fake.trainings.get(id)).toMatchObject({ state: 'failed', trainer: { kind: 'local' } });
    expect(fake.runs.slots.holders('local')).toHaveLength(1);
    isDown = false;
    await fake.trainings.resume(id);
    const again = fake.trainings.execute(id).catch(messageOf);
    await fake.untilState(id, 'training');
    expect(await fake.startsOf(id)).toBe(1);
    isDown = true;
    expect(await again).toContain('cannot be reached any more');
    isDown = false;
    expect(fake.trainings.cancel(id).state).toBe('cancelled');
    await expect(fake.trainings.execute(id)).rejects.toThrow('was cancelled');
    expect(fake.trainings.get(id)).toMatchObject({ state: 'cancelled', trainer: null });
    expect(fake.runs.slots.holders('local')).toEqual([]);
  });

  it('is asked again to stop the trainer once it answers', async () => {
    let failures = 2;
    const fake = await fakeTrainings({
      script: patientTrainer,
      wrap: (launcher) =>
        changedLauncher(launcher, {
          stop: async (trainer) => {
            failures -= 1;
            if (failures >= 0) throw new Error('no route to host');
            await launcher.stop(trainer);
          },
        }),
    });
    const id = fake.create();
    const work = fake.trainings.execute(id).catch(messageOf);
    await fake.untilStep(id);
    fake.trainings.stop(id);
    expect(await work).toContain('was stopped after step 1 of 4');
    expect(failures).toBe(-1);
  });
});
