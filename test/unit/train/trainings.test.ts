import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../src/core/errors.ts';
import type { RunState } from '../../../src/core/schema/run.ts';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';
import { readEvents } from '../../../src/train/event-file.ts';
import { eventually } from '../../integration/support/eventually.ts';
import { errorOf } from '../../support/error-of.ts';
import { type FakeTrainings, fakeExport, fakeTrainings } from '../../support/fake-trainings.ts';
import { quickTrainer } from '../../support/fake-trainer.ts';

/** A trainer that waits for its end, and saves when it is asked to stop. */
const patientTrainer = 'trap "stopped 1; exit 0" TERM; stage training; progress 1; while :; do sleep 0.02; done';
/** The same, deaf to all but SIGKILL, with a child of its own. */
const deafTrainer = 'trap "" TERM; stage training; progress 1; sleep 50 & echo $! > "$root/child"; while :; do sleep 0.1; done';

async function untilState(fake: FakeTrainings, id: string, state: RunState): Promise<void> {
  await eventually(`${id} is ${state}`, () => fake.trainings.get(id).state === state, 10_000);
}

async function untilStep(fake: FakeTrainings, id: string): Promise<void> {
  const hasProgress = async (): Promise<boolean> =>
    (await readEvents(fake.trainings.folder(id).events)).some((event) => event.type === 'progress');
  await eventually(`${id} has done a step`, hasProgress, 10_000);
}

/** Whether a process runs; one that is dead and not buried yet does not. */
async function isRunning(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) !== '';
}

function create(fake: FakeTrainings): string {
  return fake.trainings.create(fake.recipe).run.id;
}

describe('a run', () => {
  it('goes through the states of its trainer to a candidate that is registered last', async () => {
    const states: RunState[] = [];
    const fake = await fakeTrainings({
      script: quickTrainer,
      deps: {
        exportRun: async (run, folder) => {
          states.push(fake.runs.get(run.id).state);
          return await fakeExport(folder);
        },
        certifyRun: async (run) => {
          states.push(fake.runs.get(run.id).state);
          expect(fake.models.find(run.id)).toBeUndefined();
          return { passed: false };
        },
      },
    });
    const id = create(fake);
    await fake.trainings.execute(id, { onEvent: () => states.push(fake.runs.get(id).state) });
    expect([...new Set(states)]).toEqual(['training', 'merging', 'converting', 'certifying']);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'done', error: null, trainer: null, runsBefore: null });
    // One that does not pass is a candidate too; promoting it is refused elsewhere.
    expect(fake.models.find(id)).toMatchObject({
      status: 'candidate',
      ggufFile: fake.trainings.folder(id).gguf('q8_0'),
      ggufSha256: 'b'.repeat(64),
    });
  });

  it('that failed in its export keeps what it trained, registers nothing, and goes on from there', async () => {
    let isBroken = true;
    const fake = await fakeTrainings({
      script: quickTrainer,
      deps: {
        exportRun: async (_run, folder) => {
          if (isBroken) throw new Error('the converter broke');
          return await fakeExport(folder);
        },
      },
    });
    const id = create(fake);
    await expect(fake.trainings.execute(id)).rejects.toThrow('the converter broke');
    expect(fake.trainings.get(id)).toMatchObject({ state: 'failed', error: 'the converter broke' });
    expect(existsSync(path.join(fake.trainings.folder(id).merged, 'config.json'))).toBe(true);
    expect(fake.models.list()).toEqual([]);

    isBroken = false;
    await fake.trainings.resume(id);
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id).state).toBe('done');
    expect(await fake.startsOf(id)).toBe(1);
  });

  it('that failed in its certificate is not exported as a model, and its files stay', async () => {
    const fake = await fakeTrainings({
      script: quickTrainer,
      deps: { certifyRun: async () => await Promise.reject(new Error('the engine broke')) },
    });
    const id = create(fake);
    await expect(fake.trainings.execute(id)).rejects.toThrow('the engine broke');
    expect(fake.trainings.get(id).state).toBe('failed');
    expect(fake.models.list()).toEqual([]);
    expect(existsSync(fake.trainings.folder(id).gguf('q8_0'))).toBe(true);
  });

  it('gets only the events of its own try, however many there were', async () => {
    const fake = await fakeTrainings({ script: 'stage training; progress 1; failed outOfMemory "no room" "take less"; exit 1' });
    const id = create(fake);
    const error = await errorOf(async () => await fake.trainings.execute(id));
    expect(error.message).toBe(
      `Run "${id}" failed: no room. Next: take less. Go on with: npx osler train --resume ${id}`,
    );
    fake.play(quickTrainer);
    await fake.trainings.resume(id);
    const seen: TrainEvent[] = [];
    await fake.trainings.execute(id, { onEvent: (event) => seen.push(event) });
    expect(seen.map((event) => event.type)).toEqual(['stage', 'progress', 'progress', 'stage', 'artifact', 'finished']);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'done', error: null });
  });
});

describe('a trainer that is killed', () => {
  it('fails its run with the way on, and the next one goes on', async () => {
    const fake = await fakeTrainings({ script: `${patientTrainer}` });
    const id = create(fake);
    const work = fake.trainings.execute(id).catch(messageOf);
    await untilStep(fake, id);
    const { trainer } = fake.trainings.get(id);
    process.kill(-(trainer?.kind === 'local' ? trainer.pid : 0), 'SIGKILL');
    expect(await work).toMatch(/ended without a word after step 1 of 4.*npx osler train --resume/s);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'failed', trainer: null });

    fake.play(quickTrainer);
    await fake.trainings.resume(id);
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id).state).toBe('done');
    expect(await fake.startsOf(id)).toBe(2);
  });

  it('in the middle of a line does not swallow the first event of the next one', async () => {
    const fake = await fakeTrainings({ script: 'stage training; progress 1; printf \'{"type":"prog\'; kill -9 $$' });
    const id = create(fake);
    await expect(fake.trainings.execute(id)).rejects.toThrow('ended without a word');
    fake.play(quickTrainer);
    await fake.trainings.resume(id);
    const seen: string[] = [];
    await fake.trainings.execute(id, { onEvent: (event) => seen.push(event.type) });
    expect(seen[0]).toBe('stage');
  });
});

describe('a trainer that is frozen', () => {
  it('is killed after a silence, with what it started, and its run can be resumed', async () => {
    const fake = await fakeTrainings({ script: `heartbeat 0 0; ${deafTrainer}`, deps: { times: { silentMs: 300 } } });
    const id = create(fake);
    const error = await errorOf(async () => await fake.trainings.execute(id));
    expect(error.code).toBe('OSLER_ERR_RUN_FAILED');
    expect(error.message).toMatch(/the trainer had been silent since 20\S+Z \(0 s\) after step 1 of 4, and was ended\. Go on with: npx osler train --resume/);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'failed', trainer: null });
    const child = Number(await readFile(path.join(fake.trainings.folder(id).root, 'child'), 'utf8'));
    await eventually('its child is gone', async () => !(await isRunning(child)));
    fake.play(quickTrainer);
    await fake.trainings.resume(id);
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id).state).toBe('done');
  });

  it('is killed where its heart beats but no work is done', async () => {
    const fake = await fakeTrainings({ script: 'trap "" TERM; stage training; heartbeat 0 100; progress 1; heartbeat 1 1801; sleep 15' });
    const id = create(fake);
    await expect(fake.trainings.execute(id)).rejects.toThrow('had not finished a step for 30 min after step 1 of 4');
  });

  it('is left alone while it never sent a heartbeat, and while it sends them', async () => {
    const fake = await fakeTrainings({
      script: `sleep 0.5; for beat in 1 2 3 4 5 6 7 8; do heartbeat 0 3; sleep 0.1; done; ${quickTrainer}`,
      deps: { times: { silentMs: 400 } },
    });
    const id = create(fake);
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id).state).toBe('done');
  });

  it('does not hold up its run after its last word', async () => {
    const fake = await fakeTrainings({ script: `${quickTrainer}; ${deafTrainer}`, deps: { times: { graceMs: 200 } } });
    const id = create(fake);
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id).state).toBe('done');
  });
});

describe('a trainer that prints garbage', () => {
  const garbage = String.raw`printf 'Traceback\033[31m of a library\n'; printf '\000\001\377\n{"type":"party"}\n[]\nnull\n'; head -c 3000000 /dev/zero | tr '\0' x; echo`;

  it('comes to its end all the same', async () => {
    const fake = await fakeTrainings({ script: `${garbage}; ${quickTrainer}` });
    const id = create(fake);
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'done', error: null });
  });

  it('fails with the first of it, made harmless', async () => {
    const fake = await fakeTrainings({ script: `${garbage}; exit 1` });
    const id = create(fake);
    const error = await errorOf(async () => await fake.trainings.execute(id));
    expect(error.message).toContain('It wrote 6 lines that are no events, the first: "Traceback [31m of a library".');
    expect(error.message.length).toBeLessThan(600);
  });
});

describe('stop', () => {
  it('saves and stops a run that trains, and resume goes on with it', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const id = create(fake);
    const work = fake.trainings.execute(id).catch(messageOf);
    await untilState(fake, id, 'training');
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
    const id = create(server);
    const work = server.trainings.execute(id).catch(messageOf);
    await untilStep(server, id);
    const command = await fakeTrainings({ home: server.home });
    expect(command.trainings.isAbandoned(id)).toBe(false);
    command.trainings.stop(id);
    expect((await command.trainings.settled(id)).state).toBe('stopped');
    expect(await work).toContain('was stopped');
  });

  it('stops the trainer of a process that has died', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const id = create(fake);
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
    const id = create(fake);
    const work = fake.trainings.execute(id).catch(messageOf);
    await untilState(fake, id, 'converting');
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
      const id = create(fake);
      fake.runs.setState(id, state);
      expect((await errorOf(() => fake.trainings.stop(id))).message).toContain('nothing left to stop');
    }
  });
});

describe('cancel', () => {
  it('ends a run for good, whatever it is about to do next', async () => {
    const fake = await fakeTrainings({ script: quickTrainer });
    const id = create(fake);
    // The process that works on it is between two steps while another one cancels.
    const work = fake.trainings.execute(id, { onStep: () => undefined });
    (await fakeTrainings({ home: fake.home })).trainings.cancel(id);
    await expect(work).rejects.toThrow(`Run "${id}" was cancelled.`);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'cancelled', trainer: null });
    expect(await fake.startsOf(id)).toBe(0);
    expect(fake.models.list()).toEqual([]);
  });

  it('kills a trainer that does not listen', async () => {
    const fake = await fakeTrainings({ script: deafTrainer, deps: { times: { graceMs: 200 } } });
    const id = create(fake);
    const work = fake.trainings.execute(id).catch(messageOf);
    await untilStep(fake, id);
    fake.trainings.cancel(id);
    await work;
    expect(fake.trainings.get(id)).toMatchObject({ state: 'cancelled', trainer: null });
  });

  it('ends the trainer of a process that has died', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const id = create(fake);
    const isAlive = await fake.abandon(id);
    fake.trainings.cancel(id);
    expect(fake.trainings.isAbandoned(id)).toBe(true);
    await fake.trainings.execute(id).catch(messageOf);
    expect(await isAlive()).toBe(false);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'cancelled', trainer: null });
    expect(fake.trainings.isAbandoned(id)).toBe(false);
  });

  it('in the very moment of registration registers nothing', async () => {
    const fake = await fakeTrainings({
      script: quickTrainer,
      deps: {
        certifyRun: async (run) => {
          fake.trainings.cancel(run.id);
          return await Promise.resolve({ passed: true });
        },
      },
    });
    const id = create(fake);
    await expect(fake.trainings.execute(id)).rejects.toThrow('was cancelled');
    expect(fake.trainings.get(id).state).toBe('cancelled');
    expect(fake.models.list()).toEqual([]);
  });

  it('leaves a run that is done or has failed as it is', async () => {
    const fake = await fakeTrainings();
    for (const state of ['done', 'failed'] as const) {
      const id = create(fake);
      fake.runs.setState(id, state);
      expect((await errorOf(() => fake.trainings.cancel(id))).code).toBe('OSLER_ERR_RUN_STATE');
      expect(fake.trainings.get(id).state).toBe(state);
    }
  });
});

describe('resume', () => {
  it('refuses a run that is done or cancelled, and one that is at work', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    for (const state of ['done', 'cancelled'] as const) {
      const id = create(fake);
      fake.runs.setState(id, state);
      expect((await errorOf(async () => await fake.trainings.resume(id))).message).toContain('nothing to go on with');
    }
    const id = create(fake);
    const work = fake.trainings.execute(id).catch(messageOf);
    await untilStep(fake, id);
    const other = await fakeTrainings({ home: fake.home });
    for (const { trainings } of [fake, other])
      expect((await errorOf(async () => await trainings.resume(id))).message).toContain('it is at work');
    fake.trainings.stop(id);
    await work;
  });

  it('puts a run behind those that wait', async () => {
    const fake = await fakeTrainings({ script: quickTrainer });
    const [stopped, waiting] = [create(fake), create(fake)];
    fake.runs.setState(stopped, 'stopped');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await fake.trainings.resume(stopped);
    expect([fake.trainings.get(waiting).runsBefore, fake.trainings.get(stopped).runsBefore]).toEqual([0, 1]);
  });
});

describe('recover', () => {
  it('follows a trainer that outlived its server, and registers what it made', async () => {
    const fake = await fakeTrainings({ script: `stage training; progress 1; sleep 0.5; ${quickTrainer}` });
    const id = create(fake);
    await fake.abandon(id);
    expect(await fake.trainings.recover((_id, error) => expect.fail(messageOf(error)))).toEqual([id]);
    await untilState(fake, id, 'done');
    expect(await fake.startsOf(id)).toBe(1);
    expect(fake.models.find(id)?.status).toBe('candidate');
  });

  it('takes up what a trainer did while nobody looked: its model, or why it failed', async () => {
    const fake = await fakeTrainings({ script: quickTrainer });
    const finished = create(fake);
    await eventually('it has ended', async () => !(await (await fake.abandon(finished))()));
    fake.play('stage training; progress 1; failed diskFull "the disk is full" "free some space"; exit 1');
    const failed = create(fake);
    const isAlive = await fake.abandon(failed);
    await eventually('it has ended', async () => !(await isAlive()));
    fake.play('exit 1');
    await fake.trainings.recover(() => undefined);
    await untilState(fake, finished, 'done');
    await untilState(fake, failed, 'failed');
    expect(fake.trainings.get(failed).error).toContain('the disk is full');
    expect([await fake.startsOf(finished), await fake.startsOf(failed)]).toEqual([1, 1]);
  });

  it('starts a trainer again that was killed with its server, and one that was not started yet', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const [killed, queued] = [create(fake), create(fake)];
    const isAlive = await fake.abandon(killed);
    const { trainer } = fake.trainings.get(killed);
    process.kill(-(trainer?.kind === 'local' ? trainer.pid : 0), 'SIGKILL');
    await eventually('it is dead', async () => !(await isAlive()));
    fake.play(quickTrainer);
    expect(await fake.trainings.recover((_id, error) => expect.fail(messageOf(error)))).toEqual([killed, queued]);
    for (const id of [killed, queued]) await untilState(fake, id, 'done');
    expect([await fake.startsOf(killed), await fake.startsOf(queued)]).toEqual([2, 1]);
  });

  it('goes on with an export that was broken off, without training again', async () => {
    const fake = await fakeTrainings({ script: quickTrainer });
    const id = create(fake);
    await fake.trainings.execute(id);
    const other = create(fake);
    // As a server leaves it that dies while it converts.
    fake.models.deleteOfRun(id);
    const restarted = await fakeTrainings({ home: fake.home });
    fake.runs.setState(other, 'cancelled');
    restarted.reopen(id, 'converting');
    await restarted.trainings.recover((_id, error) => expect.fail(messageOf(error)));
    await untilState(restarted, id, 'done');
    expect(restarted.models.find(id)?.status).toBe('candidate');
    expect(await restarted.startsOf(id)).toBe(1);
  });

  it('leaves runs alone that another process works on', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const id = create(fake);
    const work = fake.trainings.execute(id).catch(messageOf);
    await untilStep(fake, id);
    expect(await (await fakeTrainings({ home: fake.home })).trainings.recover(() => undefined)).toEqual([]);
    fake.trainings.stop(id);
    await work;
  });

  it('keeps a dry run dry', async () => {
    const fake = await fakeTrainings({ script: 'grep -q \'"dryRun": true\' "$job" && finished' });
    const { id } = fake.trainings.create(fake.recipe, null, { isDryRun: true }).run;
    await fake.trainings.recover((_id, error) => expect.fail(messageOf(error)));
    await untilState(fake, id, 'done');
    expect(fake.models.list()).toEqual([]);
  });

  it('finds a trainer again whose starter died before it wrote its number down', async () => {
    const fake = await fakeTrainings({ script: `stage training; progress 1; sleep 0.5; ${quickTrainer}` });
    const id = create(fake);
    await fake.abandon(id);
    fake.runs.setTrainer(id, null);
    await fake.trainings.execute(id);
    expect([fake.trainings.get(id).state, await fake.startsOf(id)]).toEqual(['done', 1]);
  });
});
