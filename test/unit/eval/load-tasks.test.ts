import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/core/config.ts';
import { listTasksAtHand, loadTasks, type TaskRequest } from '../../../src/eval/load-tasks.ts';
import { listTasks } from '../../../src/eval/tasks/find-manifest.ts';
import { errorOf } from '../../support/error-of.ts';
import { hasShared, sharedFolder } from '../../support/shared-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const requestOf = (changes: Partial<TaskRequest>): TaskRequest => ({
  tasks: [],
  itemFiles: [],
  heldOutFile: null,
  limit: null,
  config: readConfig({}),
  ...changes,
});
const choiceOf = (id: string): object => ({ id, question: `Which ${id}?`, options: { A: 'x', B: 'y' }, answer: 'A' });
const openOf = (id: string): object => ({ id, question: `Why ${id}?`, answer_text: 'Because.' });

async function fileOf(rows: readonly (object | string)[], name = 'mine.jsonl'): Promise<string> {
  const file = path.join(temporaryFolder(), name);
  await writeFile(file, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'));
  return file;
}

describe('loadTasks: benchmarks', () => {
  it('loads mini as a task that is answered and one that is scored', async () => {
    const [choice, open, ...others] = await loadTasks(requestOf({ tasks: ['mini'] }));
    expect(others).toEqual([]);
    expect(choice).toMatchObject({ task: 'mini', measures: ['generation'] });
    expect(open).toMatchObject({ task: 'mini-open', measures: ['likelihood'] });
    expect(choice?.items.every((item) => item.options !== null && item.answer !== null)).toBe(true);
    expect(open?.items.every((item) => item.options === null && item.answer_text !== null)).toBe(true);
  });

  it('takes the first items of each task under a limit, in order', async () => {
    const all = await loadTasks(requestOf({ tasks: ['mini'] }));
    const some = await loadTasks(requestOf({ tasks: ['mini'], limit: 3 }));
    expect(some.map(({ items }) => items)).toEqual(all.map(({ items }) => items.slice(0, 3)));
  });

  it('knows which benchmarks need no Hub', async () => {
    expect(await listTasksAtHand(null)).toEqual(['mini']);
    const folder = temporaryFolder();
    await writeFile(path.join(folder, 'medmcqa.jsonl'), '');
    expect(await listTasksAtHand(folder)).toEqual(['medmcqa', 'mini']);
  });

  it('lists what it knows where a task is unknown', async () => {
    expect(listTasks()).toEqual(expect.arrayContaining(['heldout', 'mini']));
    for (const name of ['mimi', '../benchmarks/none', '']) {
      const error = await errorOf(() => loadTasks(requestOf({ tasks: ['mini', name] })));
      expect(error.code).toBe('OSLER_ERR_EVALUATION_TASK_UNKNOWN');
      expect(error.message).toContain(`There is no task "${name}". Choose from: ${listTasks().join(', ')}`);
    }
  });
});

describe('loadTasks: heldout', () => {
  it('scores the held-out rows of the tuned model’s run', async () => {
    const file = await fileOf([{ id: 'r1', question: 'q', thought: 't', answer: 'a' }], 'heldout.jsonl');
    expect(await loadTasks(requestOf({ tasks: ['heldout'], heldOutFile: file }))).toMatchObject([
      { task: 'heldout', measures: ['likelihood'], items: [{ id: 'r1', question: 'q', reasoning: 't', answer_text: 'a', options: null }] },
    ]);
  });

  it.each([null, '/none/heldout.jsonl'])('says what it needs where the rows are at %s', async (heldOutFile) => {
    const error = await errorOf(() => loadTasks(requestOf({ tasks: ['heldout'], heldOutFile })));
    expect(error.code).toBe('OSLER_ERR_EVALUATION_TASK_UNKNOWN');
    expect(error.message).toContain('heldout needs a tuned model that a run here made');
  });
});

describe('loadTasks: files of items', () => {
  it('makes one task of a file of one kind, named as the file', async () => {
    expect(await loadTasks(requestOf({ itemFiles: [await fileOf([choiceOf('1')], 'cardio.v2.jsonl')] }))).toMatchObject([
      { task: 'cardio.v2', measures: ['generation'] },
    ]);
    expect(await loadTasks(requestOf({ itemFiles: [await fileOf([openOf('1')], 'why.json')] }))).toMatchObject([
      { task: 'why', measures: ['likelihood'] },
    ]);
  });

  it('cuts a file of both kinds into two tasks and keeps the order', async () => {
    const file = await fileOf([openOf('1'), choiceOf('2'), openOf('3'), choiceOf('4')]);
    const tasks = await loadTasks(requestOf({ itemFiles: [file] }));
    expect(tasks.map(({ task, measures, items }) => [task, measures, items.map(({ id }) => id)])).toEqual([
      ['mine', ['generation'], ['2', '4']],
      ['mine-open', ['likelihood'], ['1', '3']],
    ]);
  });

  it('keeps fields that it does not know', async () => {
    const [task] = await loadTasks(requestOf({ itemFiles: [await fileOf([{ ...choiceOf('1'), licence: 'CC0' }])] }));
    expect(task?.items[0]?.['licence']).toBe('CC0');
  });

  const bad = [
    choiceOf('1'),
    '{"id": "2"',
    { ...choiceOf('3'), answer: 'E' },
    { id: '4', question: 'Why?' },
    { ...choiceOf('5'), options: { A: 'only one' } },
    { ...choiceOf('6'), question: ' ' },
    { ...choiceOf('7'), answer: null },
    { ...choiceOf('8'), options: { A: 'Surgery', B: ' surgery.' } },
    { ...choiceOf('9'), options: { A: 'x', B: ' ' } },
    choiceOf('1'),
    '"text"',
    { ...choiceOf('12'), options: { 1: 'x', B: 'y' } },
    { id: '13', options: { A: 'x', B: 'y' }, answer: 'A' },
    { ...choiceOf('14'), promptTemplate: '{question}' },
  ];
  const reasons = [
    'line 2: not valid JSON: it ends too early',
    'line 3: answer: answer "E" is none of the options A, B',
    'line 4: answer_text: an open question needs answer_text',
    'line 5: options: multiple choice needs two options or more',
    'line 6: question: must not be blank',
    'line 7: answer: there is none',
    'line 8: options: A and B are equal',
    'line 9: options: B without text',
    'line 10: id "1" stands on line 1 already',
    'line 11: row: Invalid input: expected object, received string',
    'line 12: options: "1": keys are single capital letters',
    'line 13: question: is missing',
    'line 14: promptTemplate: lacks {options}',
  ];

  it('reports everything that is wrong with rows together, by line', async () => {
    const error = await errorOf(async () => await loadTasks(requestOf({ itemFiles: [await fileOf(bad)] })));
    expect(error.code).toBe('OSLER_ERR_EVALUATION_ITEMS');
    expect(error.message).toContain('"mine.jsonl": 13 of 14 rows cannot be used');
    for (const reason of reasons) expect(error.message).toContain(`\n  ${reason}`);
    expect(error.message).toContain('--drop-bad-items');
  });

  it('reports the problems of all tasks together, also those with no row', async () => {
    const [empty, other] = [await fileOf([], 'empty.jsonl'), await fileOf([{ ...choiceOf('1'), answer: 'C' }], 'other.jsonl')];
    const itemFiles = [await fileOf(bad), '/none/gone.jsonl', empty, other];
    const error = await errorOf(() => loadTasks(requestOf({ tasks: ['mimi', 'mini', 'heldout'], itemFiles })));
    expect(error.code).toBe('OSLER_ERR_EVALUATION_ITEMS');
    expect(error.message).toContain('18 problem(s)');
    for (const part of [
      'no task "mimi"',
      'no task "heldout"',
      'no file "/none/gone.jsonl"',
      '"empty.jsonl" holds no rows',
      '"other.jsonl": 1 of 1 rows',
    ])
      expect(error.message).toContain(part);
  });

  it('leaves bad rows out where it is asked to, and lists each with its reason', async () => {
    const [task, ...others] = await loadTasks(requestOf({ itemFiles: [await fileOf(bad)], dropsBadItems: true }));
    expect(others).toEqual([]);
    expect(task?.items.map(({ id }) => id)).toEqual(['1']);
    expect(task?.origin).toMatchObject({ rows: 14, kept: [], choice: null, files: ['mine.jsonl'], hub: null });
    expect(task?.origin?.dropped.map(({ place, reason }) => `${place}: ${reason}`)).toEqual(reasons);
  });

  it('refuses a selection that is empty once bad rows are out', async () => {
    const itemFiles = [await fileOf([{ ...choiceOf('1'), answer: 'C' }])];
    const error = await errorOf(() => loadTasks(requestOf({ itemFiles, dropsBadItems: true })));
    expect(error.code).toBe('OSLER_ERR_DATA_EMPTY');
    expect(error.message).toContain(
      '"mine.jsonl" holds no rows that can be used (line 1: answer: answer "C" is none of the options A, B).',
    );
  });

  it('draws the same items for the same seed, and says how they were chosen', async () => {
    const file = await fileOf(Array.from({ length: 40 }, (_value, index) => choiceOf(String(index))));
    const idsOf = async (seed: number): Promise<string[]> => {
      const [task] = await loadTasks(requestOf({ itemFiles: [file], limit: 10, choice: 'random', seed }));
      expect(task?.origin?.choice).toEqual({ how: 'random', seed, of: 40 });
      return task?.items.map(({ id }) => id) ?? [];
    };
    expect(await idsOf(1)).toEqual(await idsOf(1));
    expect(await idsOf(1)).not.toEqual(await idsOf(2));
  });

  it('refuses two tasks of one name, whose samples could not be told apart', async () => {
    const itemFiles = [await fileOf([openOf('1')], 'same.jsonl'), await fileOf([openOf('2')], 'same.json')];
    const error = await errorOf(() => loadTasks(requestOf({ itemFiles })));
    expect(error.code).toBe('OSLER_ERR_USAGE');
    expect(error.message).toContain('"same"');
    expect((await errorOf(() => loadTasks(requestOf({ tasks: ['mini', 'mini'] })))).code).toBe('OSLER_ERR_USAGE');
  });

  it('says that a file is missing', async () => {
    expect((await errorOf(() => loadTasks(requestOf({ itemFiles: ['/none/items.jsonl'] })))).code).toBe('OSLER_ERR_FILE_NOT_FOUND');
  });

  const real = ['medqa_4opt', 'medmcqa', 'pubmedqa', 'mmlu_medical', 'mmlu_pro_health', 'medxpertqa_text', 'kqa_open'];
  it.skipIf(!hasShared('data/eval'))('loads every benchmark of ../shared/data/eval (skipped where the folder is missing)', async () => {
    const itemFiles = real.map((name) => path.join(sharedFolder, 'data/eval', `${name}.jsonl`));
    const tasks = await loadTasks(requestOf({ itemFiles, limit: 5, accepts: ['equalOptions'] }));
    expect(tasks.map(({ task, measures, items }) => [task, measures, items.length])).toEqual(
      real.map((name) => [name, [name === 'kqa_open' ? 'likelihood' : 'generation'], 5]),
    );
  });
});
