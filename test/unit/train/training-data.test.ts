import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/core/digest.ts';
import type { Recipe } from '../../../src/core/schema/recipe.ts';
import { TrainingRow } from '../../../src/core/schema/training-row.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { readTrainingData, splitRows } from '../../../src/train/training-data.ts';
import { errorOf } from '../../support/error-of.ts';
import { hasShared, sharedFolder } from '../../support/shared-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const columns = { question: 'Question', thought: 'Complex_CoT', answer: 'Response' };
const dataOf = (changes: Partial<Recipe['data']> = {}): Recipe['data'] => ({
  ref: 'rows.jsonl',
  revision: null,
  config: null,
  split: 'train',
  offset: 0,
  limit: null,
  heldOutRows: 0,
  heldOutSeed: null,
  deduplicate: false,
  columns,
  ...changes,
});
const rowOf = (index: number): Record<string, string> => ({ Question: `q${index}`, Complex_CoT: `t${index}`, Response: `a${index}` });

async function fileOf(rows: readonly unknown[] | string): Promise<string> {
  const file = path.join(temporaryFolder(), 'rows.jsonl');
  await writeFile(file, typeof rows === 'string' ? rows : rows.map((row) => JSON.stringify(row)).join('\n'));
  return file;
}

describe('readTrainingData', () => {
  it('takes the three columns, trimmed, with an id of their content and the digest of the file', async () => {
    const text = `${JSON.stringify({ Question: ' q \n', Complex_CoT: '\tt', Response: 'a ', extra: 7 })}\n`;
    const data = await readTrainingData(await fileOf(text), dataOf());
    expect(data).toEqual({
      train: [{ id: sha256('["q","t","a"]'), question: 'q', thought: 't', answer: 'a' }],
      heldOut: [],
      digest: sha256(text),
    });
    expect(TrainingRow.safeParse(data.train[0]).success).toBe(true);
  });

  it('takes columns by the names that the recipe gives, out of a JSON array too', async () => {
    const file = await fileOf('[{"prompt": "q", "cot": "t", "reply": "a"}]');
    const data = await readTrainingData(file, dataOf({ columns: { question: 'prompt', thought: 'cot', answer: 'reply' } }));
    expect(data.train).toMatchObject([{ question: 'q', thought: 't', answer: 'a' }]);
  });

  it('names a column that no row has, the ones there are, and how to set it', async () => {
    const error = await errorOf(async () =>
      readTrainingData(await fileOf([rowOf(1)]), dataOf({ columns: { ...columns, thought: 'CoT' } })),
    );
    expect(error.code).toBe('OSLER_ERR_DATA_COLUMNS');
    expect(error.message).toContain('has no column "CoT" (it has: Question, Complex_CoT, Response)');
    expect(error.message).toContain('--set data.columns.');
  });

  it('reports all malformed rows together, each with its line and column', async () => {
    const file = await fileOf(
      [
        JSON.stringify(rowOf(1)),
        '{"Question": "q2", "Complex_CoT": "t2"',
        JSON.stringify({ Question: 'q3', Complex_CoT: '  ' }),
        '',
        '"text"',
        JSON.stringify({ ...rowOf(6), Response: null }),
        JSON.stringify({ ...rowOf(7), Question: 7 }),
      ].join('\n'),
    );
    const error = await errorOf(() => readTrainingData(file, dataOf()));
    expect(error.code).toBe('OSLER_ERR_DATA_ROWS');
    expect(error.message).toContain('"rows.jsonl" has 5 unusable row(s)');
    expect(error.message).toMatch(/line 2: not valid JSON/);
    expect(error.message).toContain('line 3: Complex_CoT: must not be blank\n  line 3: Response: is missing');
    expect(error.message).toContain('line 5: not a JSON object');
    expect(error.message).toContain('line 6: Response: must be text, and is null');
    expect(error.message).toContain('line 7: Question: must be text, and is number');
    expect(error.message).not.toContain('line 1:');
  });

  it('calls a file without rows empty and a missing one missing', async () => {
    expect((await errorOf(async () => readTrainingData(await fileOf('\n'), dataOf()))).code).toBe('OSLER_ERR_DATA_EMPTY');
    expect((await errorOf(() => readTrainingData('/none/rows.jsonl', dataOf()))).code).toBe('OSLER_ERR_FILE_NOT_FOUND');
  });

  it('takes rows 0 to 499 of 650 for the tutorial and its held-out rows from 500 on', async () => {
    const { data } = await resolveRecipe({ preset: 'tutorial' });
    const file = await fileOf(Array.from({ length: 650 }, (_value, index) => rowOf(index)));
    const { train, heldOut } = await readTrainingData(file, data);
    expect(train.map(({ question }) => question)).toEqual(Array.from({ length: 500 }, (_value, index) => `q${index}`));
    expect(heldOut.map(({ question }) => question)).toEqual(Array.from({ length: data.heldOutRows }, (_value, index) => `q${index + 500}`));
  });

  it('keeps rows out of the tutorial’s held-out set that repeat a trained one', async () => {
    const { data } = await resolveRecipe({ preset: 'tutorial' });
    // Rows 500 to 549 repeat rows 0 to 49, white space aside.
    const rows = Array.from({ length: 650 }, (_value, index) => rowOf(index >= 500 && index < 550 ? index - 500 : index));
    const spaced = rows.map((row, index) => (index >= 500 ? { ...row, Question: ` ${row['Question']} ` } : row));
    const { train, heldOut } = await readTrainingData(await fileOf(spaced), data);
    expect(train).toHaveLength(500);
    expect(heldOut.map(({ question }) => question)).toEqual(Array.from({ length: 50 }, (_value, index) => `q${index + 550}`));
  });

  const real = 'data/train/medical_o1_198.jsonl';
  it.skipIf(!hasShared(real))(`reads all 198 real rows of ../shared/${real} (skipped where the file is missing)`, async () => {
    const { train, heldOut } = await readTrainingData(path.join(sharedFolder, real), dataOf({ heldOutRows: 8 }));
    expect([train.length, heldOut.length]).toEqual([190, 8]);
  });
});

describe('splitRows', () => {
  const rowsOf = (ids: readonly number[]): TrainingRow[] => ids.map((id) => ({ id: String(id), question: 'q', thought: 't', answer: 'a' }));
  const idsOf = (rows: readonly TrainingRow[]): number[] => rows.map(({ id }) => Number(id));
  const ten = rowsOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

  it.each([
    [{ offset: 0, limit: null, heldOutRows: 3 }, [0, 1, 2, 3, 4, 5, 6], [7, 8, 9]],
    [{ offset: 2, limit: 3, heldOutRows: 2 }, [2, 3, 4], [5, 6]],
    [{ offset: 2, limit: null, heldOutRows: 2 }, [2, 3, 4, 5, 6, 7], [8, 9]],
    [{ offset: 0, limit: 9, heldOutRows: 5 }, [0, 1, 2, 3, 4, 5, 6, 7, 8], [9]],
    [{ offset: 0, limit: 50, heldOutRows: 5 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], []],
    [{ offset: 0, limit: null, heldOutRows: 0 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], []],
  ])('cuts ten rows by %j', (data, train, heldOut) => {
    const split = splitRows('rows', ten, data);
    expect([idsOf(split.train), idsOf(split.heldOut)]).toEqual([train, heldOut]);
  });

  it.each([
    { offset: 10, limit: 5, heldOutRows: 0 },
    { offset: 0, limit: null, heldOutRows: 10 },
    { offset: 0, limit: null, heldOutRows: 25 },
    { offset: 8, limit: null, heldOutRows: 4 },
  ])('refuses %j, which leaves nothing to train on, with the counts', async (data) => {
    const error = await errorOf(() => splitRows('rows.jsonl', ten, data));
    expect(error.code).toBe('OSLER_ERR_DATA_EMPTY');
    expect(error.message).toContain('it has 10');
  });

  it('never holds out a trained row, nor one row twice, however rows repeat', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(12), { minLength: 1, maxLength: 30 }),
        fc.record({ offset: fc.nat(5), limit: fc.option(fc.integer({ min: 1, max: 20 })), heldOutRows: fc.nat(10) }),
        (ids, data) => {
          let split: ReturnType<typeof splitRows>;
          try {
            split = splitRows('rows', rowsOf(ids), data);
          } catch {
            return; // nothing to train on
          }
          const trained = new Set(idsOf(split.train));
          const heldOut = idsOf(split.heldOut);
          expect(heldOut.filter((id) => trained.has(id))).toEqual([]);
          expect(new Set(heldOut).size).toBe(heldOut.length);
          expect(heldOut.length).toBeLessThanOrEqual(data.heldOutRows);
          // Trained rows are the file's own, in order.
          expect(idsOf(split.train)).toEqual(ids.slice(data.offset, data.offset + split.train.length));
        },
      ),
      { numRuns: 500 },
    );
  });
});
