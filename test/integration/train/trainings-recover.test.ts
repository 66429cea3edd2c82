import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../src/core/errors.ts';
import { eventually } from '../support/eventually.ts';
import { patientTrainer, quickTrainer } from '../../support/fake-trainer.ts';
import { fakeTrainings } from '../../support/fake-trainings.ts';

describe('recover', () => {
  it('follows a trainer that outlived its server, and registers what it made', async () => {
    const fake = await fakeTrainings({ script: `stage training; progress 1; sleep 0.5; ${quickTrainer}` });
    const id = fake.create();
    await fake.abandon(id);
    expect(await fake.trainings.recover((_id, error) => expect.fail(messageOf(error)))).toEqual([id]);
    await fake.untilState(id, 'done');
    expect(await fake.startsOf(id)).toBe(1);
    expect(fake.models.find(id)?.status).toBe('candidate');
  });

  it('takes up what a trainer did while nobody looked: its model, or why it failed', async () => {
    const fake = await fakeTrainings({ script: quickTrainer });
    const finished = fake.create();
    await eventually('it has ended', async () => !(await (await fake.abandon(finished))()));
    fake.play('stage training; progress 1; failed diskFull "the disk is full" "free some space"; exit 1');
    const failed = fake.create();
    const isAlive = await fake.abandon(failed);
    await eventually('it has ended', async () => !(await isAlive()));
    fake.play('exit 1');
    await fake.trainings.recover(() => undefined);
    await fake.untilState(finished, 'done');
    await fake.untilState(failed, 'failed');
    expect(fake.trainings.get(failed).error).toContain('the disk is full');
    expect([await fake.startsOf(finished), await fake.startsOf(failed)]).toEqual([1, 1]);
  });

  it('starts a trainer again that was killed with its server, and one that was not started yet', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const [killed, queued] = [fake.create(), fake.create()];
    const isAlive = await fake.abandon(killed);
    const { trainer } = fake.trainings.get(killed);
    process.kill(-(trainer?.kind === 'local' ? trainer.pid : 0), 'SIGKILL');
    await eventually('it is dead', async () => !(await isAlive()));
    fake.play(quickTrainer);
    expect(await fake.trainings.recover((_id, error) => expect.fail(messageOf(error)))).toEqual([killed, queued]);
    for (const id of [killed, queued]) await fake.untilState(id, 'done');
    expect([await fake.startsOf(killed), await fake.startsOf(queued)]).toEqual([2, 1]);
  });

  it('goes on with an export that was broken off, without training again', async () => {
    const fake = await fakeTrainings({ script: quickTrainer });
    const id = fake.create();
    await fake.trainings.execute(id);
    const other = fake.create();
    // As a server leaves it that dies while it converts.
    fake.models.deleteOfRun(id);
    const restarted = await fakeTrainings({ home: fake.home });
    fake.runs.setState(other, 'cancelled');
    restarted.reopen(id, 'converting');
    await restarted.trainings.recover((_id, error) => expect.fail(messageOf(error)));
    await restarted.untilState(id, 'done');
    expect(restarted.models.find(id)?.status).toBe('candidate');
    expect(await restarted.startsOf(id)).toBe(1);
  });

  it('leaves runs alone that another process works on', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const id = fake.create();
    const work = fake.trainings.execute(id).catch(messageOf);
    await fake.untilStep(id);
    expect(await (await fakeTrainings({ home: fake.home })).trainings.recover(() => undefined)).toEqual([]);
    fake.trainings.stop(id);
    await work;
  });

  it('keeps a dry run dry', async () => {
    const fake = await fakeTrainings({ script: 'grep -q \'"dryRun": true\' "$job" && finished' });
    const { id } = fake.trainings.create(fake.recipe, null, { isDryRun: true }).run;
    await fake.trainings.recover((_id, error) => expect.fail(messageOf(error)));
    await fake.untilState(id, 'done');
    expect(fake.models.list()).toEqual([]);
  });

  it('finds a trainer again whose starter died before it wrote its number down', async () => {
    const fake = await fakeTrainings({ script: `stage training; progress 1; sleep 0.5; ${quickTrainer}` });
    const id = fake.create();
    await fake.abandon(id);
    fake.runs.setTrainer(id, null);
    await fake.trainings.execute(id);
    expect([fake.trainings.get(id).state, await fake.startsOf(id)]).toEqual(['done', 1]);
  });
});
