import { copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Recipe } from '../../../../src/core/schema/recipe.ts';
import { type Examination, examineData } from '../../../../src/train/data/examine-data.ts';
import { errorOf } from '../../../support/error-of.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { dataOptions } from './data-options.ts';

const parquet = (name: string): string => path.join(import.meta.dirname, 'parquet', `${name}.parquet`);
const rowOf = (index: number): Record<string, unknown> => ({ Question: `q${index}`, Complex_CoT: `t${index}`, Response: `a${index}` });
const jsonl = (...rows: unknown[]): string => rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');

async function examined(name: string, content: string | Uint8Array, changes: Partial<Recipe['data']> = {}): Promise<Examination> {
  const file = path.join(temporaryFolder(), name);
  await writeFile(file, content);
  return await examineData([file], dataOptions(changes));
}
const questions = ({ rows }: Examination): string[] => rows.train.map(({ row }) => row.question);
const places = ({ problems }: Examination): string[] => problems.map(({ place, message }) => `${place}: ${message}`);

describe('every format', () => {
  const tricky = { Question: 'one,\n"two"; ü', Complex_CoT: '\tt\r\n\r\nx ', Response: '\u2028=1+1' };
  it('gives the same rows of the same texts', async () => {
    const csv = (rows: readonly Record<string, string>[]): string =>
      ['Question,Complex_CoT,Response', ...rows.map((row) => Object.values(row).map((text) => `"${text.replaceAll('"', '""')}"`).join(','))].join('\r\n');
    const rows = [tricky, { Question: 'q', Complex_CoT: 't', Response: 'a' }];
    const [first, ...others] = await Promise.all([
      examined('a.jsonl', jsonl(...rows)),
      examined('a.json', JSON.stringify(rows, null, 2)),
      examined('b.json', jsonl(...rows)),
      examined('a.csv', `\uFEFF${csv(rows)}\r\n`),
      examined('a.tsv', csv(rows).replaceAll('","', '"\t"').replace('Question,Complex_CoT,Response', 'Question\tComplex_CoT\tResponse')),
      examined('b.csv', csv(rows).replaceAll('","', '";"').replace('Question,Complex_CoT,Response', 'Question;Complex_CoT;Response')),
    ]);
    expect(first?.rows.train.map(({ row }) => row.question)).toEqual(['one,\n"two"; ü', 'q']);
    for (const other of others) {
      expect(places(other)).toEqual([]);
      expect(other.rows.train.map(({ row }) => row)).toEqual(first?.rows.train.map(({ row }) => row));
    }
  });

  it('reads any text back out of CSV', async () => {
    const folder = temporaryFolder();
    // No character that is refused in any format; texts are trimmed as rows are.
    const text = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .map((value) => value.replaceAll('\0', '').trim())
      .filter((value) => value !== '');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, text, text), { minLength: 1, maxLength: 5 }), async (rows) => {
        const quoted = rows.map((row) => row.map((field) => `"${field.replaceAll('"', '""')}"`).join(',')).join('\n');
        const file = path.join(folder, 'rows.csv');
        await writeFile(file, `Question,Complex_CoT,Response\n${quoted}`);
        const { rows: found, problems } = await examineData([file], dataOptions());
        expect(problems).toEqual([]);
        expect(found.train.map(({ row }) => [row.question, row.thought, row.answer])).toEqual(rows);
      }),
      { numRuns: 200 },
    );
  });
});

describe('Parquet', () => {
  it.each(['none', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4', 'plain-v2', 'large-string'])('reads %s over its row groups', async (name) => {
    const found = await examineData([parquet(name)], dataOptions());
    expect(found.files).toEqual([{ file: parquet(name), format: 'parquet', rows: 10 }]);
    expect(found.rows.train.map(({ row }) => [row.question, row.thought, row.answer])).toEqual(
      Array.from({ length: 10 }, (_value, i) => [`q${i} – ü`, `t${i} – ü`, `a${i} – ü`]),
    );
  });

  it('joins several files in their order, and says in which of them a bad row is', async () => {
    const found = await examineData([parquet('zstd'), parquet('holes')], dataOptions({ limit: 15 }));
    expect(found.rowCount).toBe(20);
    expect(places(found)).toEqual(['holes.parquet row 4: Response: must be text, and is null']);
    expect(found.unusedProblems.map(({ place }) => place)).toEqual(['holes.parquet row 6', 'holes.parquet row 9']);
    expect(found.rows.train).toHaveLength(14);
  });

  it.each([
    ['number', 'Question', 'int64'],
    ['list', 'Complex_CoT', 'list'],
    ['struct', 'Response', 'struct'],
  ])('names the column of %s that holds no text, and its type', async (name, column, type) => {
    const found = await examineData([parquet(name)], dataOptions());
    expect([found.unfit, found.missing, found.problems]).toEqual([[{ column, type }], [], []]);
  });

  it('names bytes that are no text by their row', async () => {
    expect(places(await examineData([parquet('not-utf8')], dataOptions()))).toEqual(['row 7: Question: not UTF-8 text']);
  });

  it('knows an empty file and a Parquet file under another name', async () => {
    expect((await examineData([parquet('empty')], dataOptions())).rowCount).toBe(0);
    const file = path.join(temporaryFolder(), 'rows.json');
    await copyFile(parquet('zstd'), file);
    expect((await examineData([file], dataOptions())).rowCount).toBe(10);
  });

  it.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, bytes.length - 20)],
    ['of noise behind its head', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 4), Buffer.alloc(400, 0x5a)])],
    ['with a damaged page', (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 10), Buffer.alloc(300, 0xff), bytes.subarray(310)])],
  ])('says that a file is damaged which is %s', async (_title, damage) => {
    const error = await errorOf(async () => examined('rows.parquet', damage(await readFile(parquet('zstd')))));
    expect(error.code).toBe('OSLER_ERR_DATA_FORMAT');
    expect(error.message).toContain('"rows.parquet"');
  });
});

describe('bad rows of JSON Lines', () => {
  it('are all named by their line, and counted beside the good ones', async () => {
    const found = await examined(
      'rows.jsonl',
      jsonl(
        rowOf(1),
        '{"Question": "q2"',
        { Question: 'q3', Complex_CoT: '  ' },
        '',
        '"text"',
        { ...rowOf(6), Response: null },
        { ...rowOf(7), Question: 7, Response: ['a'] },
        { ...rowOf(8), Response: 'a\u0000b' },
        '{"Question": "q9 \\ud800", "Complex_CoT": "t", "Response": "a"}',
        rowOf(10),
      ),
    );
    expect(places(found)).toEqual([
      'line 2: not valid JSON: it ends too early',
      'line 3: Complex_CoT: must not be blank',
      'line 3: Response: is missing',
      'line 5: not a JSON object',
      'line 6: Response: must be text, and is null',
      'line 7: Question: must be text, and is number',
      'line 7: Response: must be text, and is a list',
      'line 8: Response: holds a NUL character',
      'line 9: Question: holds half of a surrogate pair, which is no character',
    ]);
    expect(questions(found)).toEqual(['q1', 'q10']);
  });

  it('are told by their line where they are no UTF-8, and never quoted', async () => {
    const lines = [JSON.stringify(rowOf(1)), 'x'].map((text) => Buffer.from(`${text}\n`));
    const latin1 = Buffer.from('{"Question": "Müller", "Complex_CoT": "t", "Response": "a"}\n', 'latin1');
    const found = await examined('rows.jsonl', Buffer.concat([lines[0] ?? latin1, latin1, lines[1] ?? latin1]));
    expect(places(found)).toEqual([
      'line 2: not UTF-8 text; save the file as UTF-8',
      'line 3: not valid JSON: wrong at character 1',
    ]);
  });

  it('are found where lines are longer than what is read at once', async () => {
    const long = { ...rowOf(1), Complex_CoT: 'ü'.repeat(1_500_000) };
    const found = await examined('rows.jsonl', jsonl(long, '{', long));
    expect(places(found)).toEqual(['line 2: not valid JSON: it ends too early']);
    expect(found.rows.train.map(({ row }) => row.thought.length)).toEqual([1_500_000, 1_500_000]);
  });

  it('are told once where one object is spread over lines', async () => {
    expect(places(await examined('rows.json', JSON.stringify({ data: [rowOf(1)] }, null, 2)))).toEqual([
      'line 1: a JSON object that goes on over several lines; write one object a line, or one array of all rows',
    ]);
  });

  it('are told where no row is an object at all', async () => {
    const found = await examined('rows.jsonl', '"a"\n[1]');
    expect([found.missing, places(found)]).toEqual([[], ['line 1: not a JSON object', 'line 2: not a JSON object']]);
  });

  it('stand in the way only where the recipe asks for them', async () => {
    const text = jsonl(rowOf(0), rowOf(1), { Question: 'q2' }, rowOf(3));
    expect((await examined('rows.jsonl', text, { limit: 2 })).problems).toEqual([]);
    expect((await examined('rows.jsonl', text, { limit: 2, heldOutRows: 1 })).problems).toHaveLength(2);
    expect((await examined('rows.jsonl', text, { limit: 2 })).unusedProblems).toHaveLength(2);
  });
});

describe('a JSON array', () => {
  it('names the line at which it is broken', async () => {
    const text = `[\n${JSON.stringify(rowOf(1))},\n{"Question": oops},\n]`;
    expect(places(await examined('rows.json', text))).toEqual(['line 3: not valid JSON: wrong at character 14; what follows was not read']);
    expect(places(await examined('rows.json', text.slice(0, 30)))).toEqual(['line 2: not valid JSON: it ends too early']);
  });
});

describe('bad CSV', () => {
  const header = 'Question,Complex_CoT,Response';
  it('names rows of another length, and counts lines over quoted line ends', async () => {
    const text = `${header}\r\n"q\r\n1",t,a\r\n\r\nq2,t\r\n"q\r\n\r\n3",t,a,more\r\nq4,,a\r\n`;
    const found = await examined('rows.csv', text);
    expect(places(found)).toEqual([
      'line 5: has 2 fields, and the header 3',
      'line 6: has 4 fields, and the header 3',
      'line 9: Complex_CoT: must not be blank',
    ]);
    expect(questions(found)).toEqual(['q\r\n1']);
  });

  it.each([
    ['never closed', `${header}\nq1,t,a\nq2,"t,a\nq3,t,a\n`, 'line 3: a quote is opened and never closed'],
    ['closed inside a field', `${header}\nq1,t,a\nq2,"t" x,a\nq3,t,a\n`, 'line 3: a quote stands inside a field'],
    ['opened inside a field', `${header}\nq1,t,a\nq2,t "x",a\nq3,t,a\n`, 'line 3: a quote stands inside a field'],
  ])('names the row whose quote is %s, with the problems before it', async (_title, text, problem) => {
    const found = await examined('rows.csv', text.replace('q1,t,a', 'q1,,a'));
    expect(places(found)).toEqual(['line 2: Complex_CoT: must not be blank', expect.stringContaining(problem)]);
    expect(places(found)[1]).toContain('What follows was not read');
  });

  it('names a wanted column that stands twice', async () => {
    expect(places(await examined('rows.csv', `${header},Question\nq,t,a,q\n`))).toEqual(['line 1: column "Question" stands twice in the header']);
  });

  it('names lines that are no UTF-8', async () => {
    const bytes = Buffer.from(`${header}\nMüller,t,a\nq,t,a\n`, 'latin1');
    expect(places(await examined('rows.csv', bytes))).toEqual(['line 2: not UTF-8 text; save the file as UTF-8']);
  });

  it('knows a file of a header alone, and one of nothing, as empty', async () => {
    expect(await examined('rows.csv', `${header}\n`)).toMatchObject({ rowCount: 0, missing: [], problems: [] });
    expect(await examined('rows.csv', '')).toMatchObject({ rowCount: 0, missing: [], problems: [] });
  });

  it('names missing columns of a header without rows', async () => {
    expect((await examined('rows.csv', 'prompt,cot,output\n')).missing.map(({ lookalike }) => lookalike)).toEqual(['prompt', 'cot', 'output']);
  });
});

describe('what is no file of rows', () => {
  it.each([
    ['rows.jsonl.gz', [0x1f, 0x8b, 8, 0], 'gzip'],
    ['rows.xlsx', [0x50, 0x4b, 3, 4], 'Excel'],
    ['rows.csv', [0xff, 0xfe, 0x51, 0], 'UTF-16'],
    ['rows.parquet', [0x7b, 0x7d], 'does not begin with "PAR1"'],
    ['rows.txt', [0x51, 0x3a], 'ends in none of .json, .jsonl, .csv'],
  ])('says what %s is and what to do', async (name, bytes, words) => {
    const error = await errorOf(() => examined(name, Buffer.from(bytes)));
    expect([error.code, error.message.includes(words)]).toEqual(['OSLER_ERR_DATA_FORMAT', true]);
  });
});
