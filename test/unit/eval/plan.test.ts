import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { commitsOf, type EvaluationPlan, freezePlan, readPlan } from '../../../src/eval/plan.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { fixtureInput, fixtureItem, fixtureSettings } from './evaluation-fixture.ts';

const planOf = (changes: Partial<EvaluationPlan> = {}): EvaluationPlan => ({
  schemaVersion: 1,
  evaluationId: 'eval-1',
  createdAt: '2026-11-23T10:00:00.000Z',
  settings: fixtureSettings,
  arms: fixtureInput().arms,
  tasks: [{ task: 'mini', measures: ['generation'], items: [fixtureItem('a'), fixtureItem('b')] }],
  trainingQuestions: ['Causes of gout?'],
  ...changes,
});

describe('freezePlan', () => {
  it('writes the plan to evaluation.json', async () => {
    const folder = temporaryFolder();
    expect(await freezePlan(folder, planOf())).toEqual(planOf());
    expect(await readdir(folder)).toEqual(['evaluation.json']);
    expect(await readPlan(folder)).toEqual(planOf());
  });

  it('takes up the plan that is there where the same is asked for again, with its id and time', async () => {
    const folder = temporaryFolder();
    await freezePlan(folder, planOf());
    const again = planOf({ evaluationId: 'eval-2', createdAt: '2026-11-24T10:00:00.000Z' });
    expect(await freezePlan(folder, again)).toEqual(planOf());
  });

  it('takes up an evaluation whose same items come from another place', async () => {
    const folder = temporaryFolder();
    await freezePlan(folder, planOf());
    const origin = {
      source: 's',
      revision: 'r',
      licence: 'l',
      hub: null,
      files: ['a.jsonl'],
      rows: 2,
      dropped: [],
      kept: [],
      choice: null,
    };
    const hub = { repo: 'o/n', revision: 'main', commit: 'a'.repeat(40) };
    const withHub = planOf({ tasks: planOf().tasks.map((task) => ({ ...task, origin: { ...origin, hub } })) });
    const other = temporaryFolder();
    await freezePlan(other, withHub);
    expect(await readPlan(other)).toEqual(withHub);
    expect(commitsOf(withHub.tasks)).toEqual(new Map([['mini', hub.commit]]));
    const again = await freezePlan(folder, planOf({ tasks: planOf().tasks.map((task) => ({ ...task, origin })) }));
    expect(again).toEqual(planOf());
    expect(commitsOf(again.tasks)).toEqual(new Map());
  });

  it('does not mind the order of keys', async () => {
    const folder = temporaryFolder();
    await freezePlan(folder, planOf());
    // The same pairs in reverse order.
    const settings = Object.fromEntries(Object.entries(fixtureSettings).toReversed()) as EvaluationPlan['settings'];
    expect((await freezePlan(folder, planOf({ settings }))).evaluationId).toBe('eval-1');
  });

  it.each<[string, Partial<EvaluationPlan>]>([
    ['settings', { settings: { ...fixtureSettings, seed: 1 } }],
    ['arms', { arms: { ...fixtureInput().arms, tuned: { ...fixtureInput().arms.tuned, weightsSha256: '1'.repeat(64) } } }],
    ['tasks', { tasks: [{ task: 'mini', measures: ['generation'], items: [fixtureItem('a')] }] }],
    ['tasks', { tasks: [{ task: 'mini', measures: ['generation'], items: [fixtureItem('b'), fixtureItem('a')] }] }],
    ['tasks', { tasks: [{ task: 'mini', measures: ['generation'], items: [fixtureItem('a', { answer: 'C' }), fixtureItem('b')] }] }],
    [
      'settings and tasks',
      { settings: { ...fixtureSettings, attempts: 2 }, tasks: [{ task: 'other', measures: ['generation'], items: [fixtureItem('a')] }] },
    ],
  ])('names the part that differs: %s', async (part, changes) => {
    const folder = temporaryFolder();
    await freezePlan(folder, planOf());
    const before = await readFile(path.join(folder, 'evaluation.json'), 'utf8');
    const error = await errorOf(() => freezePlan(folder, planOf(changes)));
    expect(error.code).toBe('OSLER_ERR_EVALUATION_MISMATCH');
    expect(error.message).toContain(`"${folder}" holds another evaluation (${part} differ)`);
    expect(await readFile(path.join(folder, 'evaluation.json'), 'utf8')).toBe(before);
  });
});

describe('readPlan', () => {
  it('finds nothing where there is none', async () => expect(await readPlan(temporaryFolder())).toBeUndefined());

  it('refuses a file that is no plan', async () => {
    const folder = temporaryFolder();
    await writeFile(path.join(folder, 'evaluation.json'), '{"schemaVersion": 1}');
    await expect(readPlan(folder)).rejects.toThrow('evaluationId');
  });
});
