import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../src/core/errors.ts';
import { eventually } from '../support/eventually.ts';
import { errorOf } from '../../support/error-of.ts';
import { deafTrainer, patientTrainer, quickTrainer } from '../../support/fake-trainer.ts';
import { fakeTrainings } from '../../support/fake-trainings.ts';

/** Whether a process runs; one that is dead and not buried yet does not. */
async function isRunning(pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')) !== '';
}

describe('a trainer that is killed', () => {
  it('fails its run with the way on, and the next one goes on', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const id = fake.create();
    const work = fake.trainings.execute(id).catch(messageOf);
    await fake.untilStep(id);
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
    const id = fake.create();
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
    const id = fake.create();
    const error = await errorOf(async () => await fake.trainings.execute(id));
    expect(error.code).toBe('OSLER_ERR_RUN_FAILED');
    expect(error.message).toMatch(
      /the trainer had been silent since 20\S+Z \(\d+ s\) after step 1 of 4, and was ended\. Go on with: npx osler train --resume/,
    );
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
    const id = fake.create();
    await expect(fake.trainings.execute(id)).rejects.toThrow('had not finished a step for 30 min after step 1 of 4');
  });

  it('is left alone while it never sent a heartbeat, and while it sends them', async () => {
    const fake = await fakeTrainings({
      script: `sleep 1.3; for beat in 1 2 3 4 5 6 7 8 9 10 11 12; do heartbeat 0 3; sleep 0.1; done; ${quickTrainer}`,
      deps: { times: { silentMs: 1000 } },
    });
    const id = fake.create();
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id).state).toBe('done');
  });

  it('does not hold up its run after its last word', async () => {
    const fake = await fakeTrainings({ script: `${quickTrainer}; ${deafTrainer}`, deps: { times: { graceMs: 200 } } });
    const id = fake.create();
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id).state).toBe('done');
  });
});

describe('a trainer that prints garbage', () => {
  const garbage = String.raw`printf 'Traceback\033[31m of a library\n'; printf '\000\001\377\n{"type":"party"}\n[]\nnull\n'; head -c 3000000 /dev/zero | tr '\0' x; echo`;

  it('comes to its end all the same', async () => {
    const fake = await fakeTrainings({ script: `${garbage}; ${quickTrainer}` });
    const id = fake.create();
    await fake.trainings.execute(id);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'done', error: null });
  });

  it('fails with the first of it, made harmless', async () => {
    const fake = await fakeTrainings({ script: `${garbage}; exit 1` });
    const id = fake.create();
    const error = await errorOf(async () => await fake.trainings.execute(id));
    expect(error.message).toContain('It wrote 6 lines that are no events, the first: "Traceback [31m of a library".');
    expect(error.message.length).toBeLessThan(600);
  });
});
