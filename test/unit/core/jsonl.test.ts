import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkRows, parseJsonRows, readTextFile, throwRowProblems } from '../../../src/core/jsonl.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const Row = z.strictObject({ name: z.string(), age: z.int().min(0) });

describe('parseJsonRows', () => {
  it('numbers lines from 1 and counts blank ones without giving them', () => {
    expect(parseJsonRows('\n{"a":1}\n   \n\t\n{"a":2}\n')).toEqual({
      rows: [
        { line: 2, value: { a: 1 } },
        { line: 5, value: { a: 2 } },
      ],
      problems: [],
    });
  });

  it('skips a byte-order mark before lines and before an array', () => {
    expect(parseJsonRows('\uFEFF{"a":1}')).toEqual({ rows: [{ line: 1, value: { a: 1 } }], problems: [] });
    expect(parseJsonRows('\uFEFF[{"a":1}]')).toEqual({ rows: [{ line: 1, value: { a: 1 } }], problems: [] });
  });

  it('takes Windows line ends and a last line without one', () => {
    expect(parseJsonRows('{"a":1}\r\n{"a":2}').rows.map(({ value }) => value)).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it('takes one JSON array over several lines, numbered by element', () => {
    expect(parseJsonRows(' [\n  {"a": 1},\n\n  {"a": 2}\n]\n')).toEqual({
      rows: [
        { line: 1, value: { a: 1 } },
        { line: 2, value: { a: 2 } },
      ],
      problems: [],
    });
  });

  it('names every line that is no JSON and keeps the others', () => {
    const { rows, problems } = parseJsonRows('{"a":1}\n{"a":\nnope\n{"a":2}');
    expect(rows.map(({ line }) => line)).toEqual([1, 4]);
    expect(problems.map(({ line }) => line)).toEqual([2, 3]);
    for (const { message } of problems) expect(message).toMatch(/^not valid JSON: ./);
  });

  it('reports a broken array once', () => {
    const { rows, problems } = parseJsonRows('[{"a":1},\n{"a":2}\n');
    expect(rows).toEqual([]);
    expect(problems).toHaveLength(1);
  });

  it('finds nothing in an empty text', () => expect(parseJsonRows('')).toEqual({ rows: [], problems: [] }));
});

describe('checkRows', () => {
  it('gives the checked rows with their lines', () => {
    expect(checkRows('rows.jsonl', '{"name":"a","age":1}\n\n{"name":"b","age":2}', Row)).toEqual([
      { line: 1, value: { name: 'a', age: 1 } },
      { line: 3, value: { name: 'b', age: 2 } },
    ]);
  });

  it('reports all bad rows together in the order of their lines, syntax and schema alike', async () => {
    const text = ['{"name":"a","age":1}', '{"name":1,"age":-1}', 'nope', '7', '{"name":"b","age":2,"extra":1}'].join('\n');
    const error = await errorOf(() => checkRows('rows.jsonl', text, Row));
    expect(error.code).toBe('OSLER_ERR_DATA_ROWS');
    const lines = error.message.split('\n').flatMap((line) => /^ {2}line (\d+): (\w+)/.exec(line)?.slice(1).join(' ') ?? []);
    expect(lines).toEqual(['2 name', '2 age', '3 not', '4 row', '5 row']);
    // Line 2 has two problems and is one row.
    expect(error.message).toContain('"rows.jsonl" has 4 unusable row(s)');
  });

  it('calls a file without rows empty', async () => {
    for (const text of ['', '\n\n', '[]']) expect((await errorOf(() => checkRows('r', text, Row))).code).toBe('OSLER_ERR_DATA_EMPTY');
  });
});

describe('throwRowProblems', () => {
  const problems = (count: number): { line: number; message: string }[] =>
    Array.from({ length: count }, (_value, index) => ({ line: index + 1, message: 'bad' }));

  it('throws nothing where there is no problem', () => expect(() => throwRowProblems('r', [])).not.toThrow());

  it('lists 20 problems in full', async () => {
    const { message } = await errorOf(() => throwRowProblems('r', problems(20)));
    expect(message.match(/line \d+: bad/g)).toHaveLength(20);
    expect(message).not.toContain('more problems');
  });

  it('lists the first 20 of more by line, counts the rest and names the count of all', async () => {
    const { message } = await errorOf(() => throwRowProblems('r', problems(45).toReversed()));
    const shown = [...message.matchAll(/line (\d+): bad/g)].map((match) => Number(match[1]));
    expect(shown).toEqual(Array.from({ length: 20 }, (_value, index) => index + 1));
    expect(message).toContain('… and 25 more problems');
    expect(message).toContain('has 45 unusable row(s)');
  });
});

describe('readTextFile', () => {
  it.each([
    ['a missing file', 'none.jsonl'],
    ['a folder', '.'],
    ['a file inside a file', path.join('..', path.basename(import.meta.filename), 'x')],
  ])('says of %s that there is no such file', async (_title, name) => {
    const file = path.join(name.startsWith('..') ? path.join(import.meta.dirname, 'x') : temporaryFolder(), name);
    const error = await errorOf(() => readTextFile(file));
    expect(error.code).toBe('OSLER_ERR_FILE_NOT_FOUND');
    expect(error.message).toContain(`"${file}"`);
  });
});
