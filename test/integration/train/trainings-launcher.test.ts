import { readFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../src/core/errors.ts';
import { parseHubId } from '../../../src/core/hub/hub-id.ts';
import type { Recipe } from '../../../src/core/schema/recipe.ts';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';
import type { Launcher, StartOptions, TrainedArtifact } from '../../../src/train/launchers/launcher.ts';
import { LocalLauncher } from '../../../src/train/launchers/local-launcher.ts';
import { readRemoteCopy } from '../../../src/train/remote-copy.ts';
import type { TellNotice } from '../../../src/train/run-notices.ts';
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

  it('leave the fetching of a base on the Hub to it, and hold it to the commit that the first try had', async () => {
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

    // A try that was stopped had told which commit it fetched; the branch may be elsewhere when it goes on.
    const folder = fake.trainings.folder(id);
    const revision = 'c0ffee'.padEnd(40, '0');
    const files = [{ path: 'config.json', bytes: 2, sha256: ''.padEnd(64, '0') }];
    await writeFile(folder.events, `${JSON.stringify({ type: 'base', at: new Date().toISOString(), revision, files })}\n`);
    await fake.trainings.resume(id);
    await expect(fake.trainings.execute(id)).rejects.toThrow('far enough');
    expect(JSON.parse(await readFile(folder.job, 'utf8'))).toMatchObject({ recipe: { base: { revision } } });
    expect(JSON.parse(await readFile(folder.source, 'utf8'))).toMatchObject({ base: { revision, files } });
  });
});

describe('what another machine holds of a run', () => {
  type Calls = {
    readonly calls: string[];
    readonly open: (script: string, changes?: Partial<Launcher>) => ReturnType<typeof fakeTrainings>;
  };
  function remote(): Calls {
    const calls: string[] = [];
    const open: Calls['open'] = async (script, changes = {}) =>
      await fakeTrainings({
        script,
        wrap: (launcher) =>
          changedLauncher(launcher, {
            fetch: async () => void calls.push('fetch'),
            fetchTracking: async () => void calls.push('tracking'),
            clean: async () => calls.push('clean') > 0,
            ...changes,
          }),
      });
    return { calls, open };
  }
  const withTracking = (recipe: Recipe): Recipe => ({ ...recipe, tracking: { ...recipe.tracking, reportTo: ['tensorboard'] } });

  it('is removed once the run is done, after everything was fetched', async () => {
    const { calls, open } = remote();
    const fake = await open(quickTrainer, {
      clean: async () => {
        calls.push(fake.runs.get(id).state);
        return await Promise.resolve(true);
      },
    });
    const { id } = fake.trainings.create(withTracking(fake.recipe)).run;
    await fake.trainings.execute(id);
    expect(calls).toEqual(['fetch', 'tracking', 'done']);
  });

  it.each([
    ['failed', quickTrainer.replace('finished', 'failed unexpected "it broke" "try again"')],
    ['stopped', 'stage training; progress 1; stopped 1'],
  ] as const)('stays for a run that has %s', async (state, script) => {
    const { calls, open } = remote();
    const fake = await open(script);
    const id = fake.create();
    await expect(fake.trainings.execute(id)).rejects.toThrow(`Run "${id}"`);
    expect([fake.trainings.get(id).state, calls]).toEqual([state, []]);
    expect((await readRemoteCopy(fake.trainings.folder(id)))?.isFetched).toBe(false);
    fake.play(quickTrainer);
    await fake.trainings.resume(id);
    await fake.trainings.execute(id);
    expect(calls).toEqual(['fetch', 'clean']);
  });

  it('stays for a run that was cancelled', async () => {
    const { calls, open } = remote();
    const fake = await open(patientTrainer);
    const id = fake.create();
    const work = fake.trainings.execute(id).catch(messageOf);
    await fake.untilStep(id);
    fake.trainings.cancel(id);
    expect(await work).toContain('was cancelled');
    expect(calls).toEqual([]);
    expect(await readRemoteCopy(fake.trainings.folder(id))).toMatchObject({ isFetched: false });
  });

  it('stays, with a notice, where the trackers’ files did not come; the run is done nonetheless', async () => {
    const { calls, open } = remote();
    const fake = await open(quickTrainer, {
      fetchTracking: async () => await Promise.reject(new Error('the log still grows')),
    });
    const { id } = fake.trainings.create(withTracking(fake.recipe)).run;
    const told: string[] = [];
    await fake.trainings.execute(id, { onEvent: (event) => void (event.type === 'notice' && told.push(event.message)) });
    expect([fake.trainings.get(id).state, calls]).toEqual(['done', ['fetch']]);
    expect(told).toEqual([expect.stringContaining('the log still grows')]);
    const heard = await Array.fromAsync(fake.trainings.events(id));
    expect(heard.filter((event) => event.type === 'notice').map(({ message }) => message)).toEqual(told);
  });
});

describe('notices of a launcher', () => {
  it('are told to who trains and to who follows, and are kept beside the trainer’s own events', async () => {
    let tell: TellNotice = () => undefined;
    const fake = await fakeTrainings({
      script: patientTrainer,
      deps: {
        launcher: async (_name, onNotice) => {
          tell = onNotice ?? tell;
          return await Promise.resolve(local);
        },
      },
    });
    const local = new LocalLauncher({ python: async () => `${fake.home}/python`, devices: async () => [] });
    const id = fake.create();
    const told: string[] = [];
    const onEvent = (event: TrainEvent): void => void (event.type === 'notice' && told.push(event.message));
    const work = fake.trainings.execute(id, { onEvent }).catch(messageOf);
    await fake.untilStep(id);
    const following = Array.fromAsync(fake.trainings.feed(id));
    tell('"gpu" cannot be reached. The trainer goes on there by itself; trying again.');
    fake.trainings.stop(id);
    await work;
    expect(told).toEqual(['"gpu" cannot be reached. The trainer goes on there by itself; trying again.']);
    const heard = (await following).flatMap((news) =>
      news.kind === 'trainer' && news.event.type === 'notice' ? [news.event.message] : [],
    );
    expect(heard).toEqual(told);
    // The trainer's file stays a copy of its own, byte for byte.
    expect(await readFile(fake.trainings.folder(id).events, 'utf8')).not.toContain('cannot be reached');
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
