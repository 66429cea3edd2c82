import { describe, expect, it } from 'vitest';
import { messageOf } from '../../../src/core/errors.ts';
import type { RunNews } from '../../../src/train/run-feed.ts';
import { patientTrainer, quickTrainer } from '../../support/fake-trainer.ts';
import { fakeTrainings } from '../../support/fake-trainings.ts';

function inWords(news: RunNews): string {
  if (news.kind === 'trainer') return news.event.type;
  return news.run.runsBefore === null ? news.run.state : `${news.run.state} behind ${news.run.runsBefore}`;
}

describe('the feed of a run', () => {
  it('tells its place in the queue, its states and its events, and its end last', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    const [first, second] = [fake.create(), fake.create()];
    const work = [first, second].map(async (id) => await fake.trainings.execute(id).catch(messageOf));
    const heard = Array.fromAsync(fake.trainings.feed(second), inWords);
    await fake.untilState(first, 'training');
    fake.play(`stage training; progress 1; sleep 0.1; stage merging; sleep 0.1; ${quickTrainer}`);
    fake.trainings.stop(first);
    await Promise.all(work);
    const news = await heard;
    expect(news.filter((word) => !['stage', 'progress', 'artifact'].includes(word))).toEqual([
      'queued behind 1',
      'queued behind 0',
      'preparing',
      'training',
      'merging',
      'finished',
      'done',
    ]);
  });

  it('gives a run that has ended from its first event on', async () => {
    const fake = await fakeTrainings({ script: quickTrainer });
    const id = fake.create();
    await fake.trainings.execute(id);
    const news = await Array.fromAsync(fake.trainings.feed(id), inWords);
    expect(news).toEqual(['stage', 'progress', 'progress', 'stage', 'artifact', 'finished', 'done']);
  });

  it('ends when its reader leaves', async () => {
    const fake = await fakeTrainings();
    const leaving = new AbortController();
    const heard = Array.fromAsync(fake.trainings.feed(fake.create(), leaving.signal), inWords);
    leaving.abort();
    expect(await heard).toEqual(['queued behind 0']);
  });
});
