import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../../src/core/digest.ts';
import type { Recipe } from '../../../../src/core/schema/recipe.ts';
import { TrainingRow } from '../../../../src/core/schema/training-row.ts';
import { type PreparedData, prepareData } from '../../../../src/train/data/prepare-data.ts';
import { resolveRecipe } from '../../../../src/train/recipe.ts';
import { RunSource } from '../../../../src/train/run-source.ts';
import { errorOf } from '../../../support/error-of.ts';
import { hasShared, sharedFolder } from '../../../support/shared-folder.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';
import { dataOptions } from './data-options.ts';

const columns = { question: 'Question', thought: 'Complex_CoT', answer: 'Response' };
const rowOf = (index: number): Record<string, string> => ({ Question: `q${index}`, Complex_CoT: `t${index}`, Response: `a${index}` });

/** Prepares a file of these rows; a recipe's data may come in place of the defaults. */
async function prepared(rows: readonly unknown[] | string, changes: Partial<Recipe['data']> = {}): Promise<PreparedData> {
  const ref = path.join(temporaryFolder(), 'rows.jsonl');
  await writeFile(ref, typeof rows === 'string' ? rows : rows.map((row) => JSON.stringify(row)).join('\n'));
  return await prepareData({ ...dataOptions(changes), ref }, { config: testConfig() });
}
const questions = (rows: readonly TrainingRow[]): string[] => rows.map(({ question }) => question);
const numbered = (from: number, to: number): string[] => Array.from({ length: to - from }, (_value, index) => `q${from + index}`);

describe('prepareData', () => {
  it('takes the three columns, trimmed, with an id of their content, and tells of the file', async () => {
    const text = `${JSON.stringify({ Question: ' q \n', Complex_CoT: '\tt', Response: 'a ', extra: 7 })}\n`;
    const data = await prepared(text);
    expect(data.train).toEqual([{ id: sha256('["q","t","a"]'), question: 'q', thought: 't', answer: 'a' }]);
    expect(TrainingRow.safeParse(data.train[0]).success).toBe(true);
    const { ref, ...source } = data.source;
    expect(path.basename(ref)).toBe('rows.jsonl');
    expect(source).toEqual({
      revision: null,
      sha256: sha256(text),
      trainRows: 1,
      heldOutRows: 0,
      licence: null,
      files: [{ name: 'rows.jsonl', format: 'jsonl', rows: 1, bytes: text.length, sha256: sha256(text) }],
      sourceRows: 1,
      columns,
      dropped: { duplicates: [], heldOutTrained: [], heldOutTwice: [] },
      notes: [],
    });
  });

  it('takes columns by the names that the recipe gives', async () => {
    const data = await prepared([{ prompt: 'q', cot: 't', reply: 'a' }], { columns: { question: 'prompt', thought: 'cot', answer: 'reply' } });
    expect(data.train).toMatchObject([{ question: 'q', thought: 't', answer: 'a' }]);
  });

  it('names every column that no row has, the ones there are, and how to set them', async () => {
    const error = await errorOf(() => prepared([{ question: 'q', Complex_CoT: 't', text: 'a' }]));
    expect(error.code).toBe('OSLER_ERR_DATA_COLUMNS');
    expect(error.message).toBe(
      '"rows.jsonl" has no column "Question", "Response" (it has: question, Complex_CoT, text). Did you mean --set data.columns.question=question? Name the one in place of "Response": --set data.columns.answer=…',
    );
  });

  it('reports all bad rows together', async () => {
    const error = await errorOf(() => prepared([rowOf(1), { Question: 'q2' }, 'x', rowOf(4)]));
    expect(error.code).toBe('OSLER_ERR_DATA_ROWS');
    expect(error.message).toContain('"rows.jsonl" has 2 unusable row(s):');
    expect(error.message).toContain('  line 2: Complex_CoT: is missing\n  line 2: Response: is missing\n  line 3: not a JSON object\n');
  });

  it('shows twenty problems and counts the others', async () => {
    const error = await errorOf(() => prepared([rowOf(0), ...Array.from({ length: 30 }, () => ({ ...rowOf(1), Response: '' }))]));
    expect(error.message).toContain('has 30 unusable row(s)');
    expect(error.message).toContain('line 21: ');
    expect(error.message).not.toContain('line 22: ');
    expect(error.message).toContain('and 10 more problems');
  });

  it.each([
    [{ offset: 10, limit: 5 }, 'it has 10, the recipe asks for train[10:15] and keeps 0 out'],
    [{ heldOutRows: 25 }, 'it has 10, the recipe asks for train[0:] and keeps 10 out'],
    [{ split: 'train[:1%]' }, 'it has 10, the recipe asks for train[:1%] and keeps 0 out'],
  ])('refuses %j, which leaves nothing to train on, with the counts', async (changes, words) => {
    const error = await errorOf(() => prepared(Array.from({ length: 10 }, (_value, index) => rowOf(index)), changes));
    expect([error.code, error.message.includes(words)]).toEqual(['OSLER_ERR_DATA_EMPTY', true]);
  });

  it('calls a file without rows empty and a missing one missing', async () => {
    expect((await errorOf(() => prepared('\n'))).code).toBe('OSLER_ERR_DATA_EMPTY');
    const missing = prepareData(dataOptions({ ref: '/none/rows.jsonl' }), { config: testConfig() });
    expect((await errorOf(() => missing)).code).toBe('OSLER_ERR_FILE_NOT_FOUND');
  });

  it('takes rows 0 to 499 of 650 for the tutorial and holds out 500 to 599', async () => {
    const { data } = await resolveRecipe({ preset: 'tutorial' });
    const { train, heldOut } = await prepared(numbered(0, 650).map((_question, index) => rowOf(index)), data);
    expect(questions(train)).toEqual(numbered(0, 500));
    expect(questions(heldOut)).toEqual(numbered(500, 600));
  });

  it('keeps rows out of the tutorial’s held-out set that ask a trained question again, and names them', async () => {
    const { data } = await resolveRecipe({ preset: 'tutorial' });
    // Rows 500 to 549 ask what rows 0 to 49 ask, in other spelling and with another answer.
    const rows = numbered(0, 650).map((_question, index) =>
      index >= 500 && index < 550 ? { ...rowOf(index), Question: ` Q${index - 500}? ` } : rowOf(index),
    );
    const { train, heldOut, source } = await prepared(rows, data);
    expect(train).toHaveLength(500);
    expect(questions(heldOut)).toEqual(numbered(550, 600));
    expect(source.dropped.heldOutTrained).toHaveLength(50);
    expect(source.dropped.heldOutTrained.at(-1)).toBe('line 550 repeats line 50');
  });

  it('leaves repeated questions out of training where it is asked to, and names them', async () => {
    const rows = [rowOf(1), rowOf(2), { ...rowOf(3), Question: 'Q1 !' }];
    const without = await prepared(rows, { deduplicate: true });
    expect([questions(without.train), without.source.dropped.duplicates]).toEqual([['q1', 'q2'], ['line 3 repeats line 1']]);
    const withThem = await prepared(rows);
    expect([questions(withThem.train), withThem.source.dropped.duplicates]).toEqual([['q1', 'q2', 'Q1 !'], []]);
  });

  const real = 'data/train/medical_o1_198.jsonl';
  it.skipIf(!hasShared(real))(`reads all 198 real rows of ../shared/${real} (skipped where the file is missing)`, async () => {
    const data = dataOptions({ ref: path.join(sharedFolder, real), heldOutRows: 8 });
    const { train, heldOut, source } = await prepareData(data, { config: testConfig() });
    expect([train.length, heldOut.length, source.sourceRows]).toEqual([190, 8, 198]);
  });
});

describe('RunSource', () => {
  it('reads the source of a run that began before it told of files and of what was left out', () => {
    const old = { ref: 'rows.jsonl', revision: null, sha256: 'ab', trainRows: 3, heldOutRows: 1 };
    expect(RunSource.parse({ data: old, base: { ref: 'b', revision: null } }).data).toMatchObject({ ...old, files: [], licence: null });
  });
});
