import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/core/digest.ts';
import { messageOf } from '../../../src/core/errors.ts';
import type { RunState } from '../../../src/core/schema/run.ts';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';
import { RunSource } from '../../../src/train/run-source.ts';
import { errorOf } from '../../support/error-of.ts';
import { patientTrainer, quickTrainer } from '../../support/fake-trainer.ts';
import { fakeExport, fakeTrainings } from '../../support/fake-trainings.ts';

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
    const id = fake.create();
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

  it('has its base on record before its trainer starts, and keeps that record when it goes on', async () => {
    const fake = await fakeTrainings({ script: `cp "$root/source.json" "$root/as-it-began.json"; stage training; stopped 1` });
    const weights = path.join(fake.recipe.base.ref, 'model.safetensors');
    await writeFile(weights, 'the base');
    const id = fake.create();
    const { root, source } = fake.trainings.folder(id);
    await expect(fake.trainings.execute(id)).rejects.toThrow('was stopped');
    const began = await readFile(path.join(root, 'as-it-began.json'), 'utf8');
    expect(RunSource.parse(JSON.parse(began)).base.files).toEqual([
      { path: 'config.json', bytes: 2, sha256: sha256('{}') },
      { path: 'model.safetensors', bytes: 8, sha256: sha256('the base') },
    ]);
    await writeFile(weights, 'another base');
    fake.play(quickTrainer);
    await fake.trainings.resume(id);
    await fake.trainings.execute(id);
    expect(await readFile(source, 'utf8')).toBe(began);
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
    const id = fake.create();
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
    const id = fake.create();
    await expect(fake.trainings.execute(id)).rejects.toThrow('the engine broke');
    expect(fake.trainings.get(id).state).toBe('failed');
    expect(fake.models.list()).toEqual([]);
    expect(existsSync(fake.trainings.folder(id).gguf('q8_0'))).toBe(true);
  });

  it('gets only the events of its own try, however many there were', async () => {
    const fake = await fakeTrainings({ script: 'stage training; progress 1; failed outOfMemory "no room" "take less"; exit 1' });
    const id = fake.create();
    const error = await errorOf(async () => await fake.trainings.execute(id));
    expect(error.message).toBe(`Run "${id}" failed: no room. Next: take less. Go on with: npx osler train --resume ${id}`);
    fake.play(quickTrainer);
    await fake.trainings.resume(id);
    const seen: TrainEvent[] = [];
    await fake.trainings.execute(id, { onEvent: (event) => seen.push(event) });
    expect(seen.map((event) => event.type)).toEqual(['stage', 'progress', 'progress', 'stage', 'artifact', 'finished']);
    expect(fake.trainings.get(id)).toMatchObject({ state: 'done', error: null });
  });
});

describe('resume', () => {
  it('refuses a run that is done or cancelled, and one that is at work', async () => {
    const fake = await fakeTrainings({ script: patientTrainer });
    for (const state of ['done', 'cancelled'] as const) {
      const id = fake.create();
      fake.runs.setState(id, state);
      expect((await errorOf(async () => await fake.trainings.resume(id))).message).toContain('nothing to go on with');
    }
    const id = fake.create();
    const work = fake.trainings.execute(id).catch(messageOf);
    await fake.untilStep(id);
    const other = await fakeTrainings({ home: fake.home });
    for (const { trainings } of [fake, other])
      expect((await errorOf(async () => await trainings.resume(id))).message).toContain('it is at work');
    fake.trainings.stop(id);
    await work;
  });

  it('puts a run behind those that wait', async () => {
    const fake = await fakeTrainings({ script: quickTrainer });
    const [stopped, waiting] = [fake.create(), fake.create()];
    fake.runs.setState(stopped, 'stopped');
    await new Promise((resolve) => setTimeout(resolve, 5));
    await fake.trainings.resume(stopped);
    expect([fake.trainings.get(waiting).runsBefore, fake.trainings.get(stopped).runsBefore]).toEqual([0, 1]);
  });
});
