import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { OSLER_ERR_DATA_EMPTY, OSLER_ERR_DATA_ROWS, OSLER_ERR_FILE_NOT_FOUND } from './errors.ts';

const shownProblems = 20;

/** A problem of one line of a data file; `line` counts from 1. */
export interface RowProblem {
  readonly line: number;
  readonly message: string;
}

/** A parsed line with the number it stands on. */
export interface NumberedRow<T> {
  readonly line: number;
  readonly value: T;
}

/** Reads a text file, turning absence into one clear error. Throws OSLER_ERR_FILE_NOT_FOUND. */
export async function readTextFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EISDIR' || error.code === 'ENOTDIR'))
      throw new OSLER_ERR_FILE_NOT_FOUND(file);
    throw error;
  }
}

/**
 * Parses JSON Lines, or one JSON array, without judging the rows.
 * Blank lines and a byte-order mark are skipped. In an array, `line` is the place of the element.
 */
export function parseJsonRows(text: string): { rows: NumberedRow<unknown>[]; problems: RowProblem[] } {
  const source = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const rows: NumberedRow<unknown>[] = [];
  const problems: RowProblem[] = [];
  if (source.trimStart().startsWith('[')) {
    try {
      const array: unknown = JSON.parse(source);
      if (Array.isArray(array)) return { rows: array.map((value: unknown, index) => ({ line: index + 1, value })), problems };
    } catch (error) {
      problems.push({ line: 1, message: `not valid JSON${placeOf(error)}` });
      return { rows, problems };
    }
  }
  for (const [index, line] of source.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      rows.push({ line: index + 1, value: JSON.parse(line) });
    } catch (error) {
      problems.push({ line: index + 1, message: `not valid JSON${placeOf(error)}` });
    }
  }
  return { rows, problems };
}

/**
 * Checks rows against a schema and reports every bad one together.
 *
 * @throws OSLER_ERR_DATA_EMPTY, OSLER_ERR_DATA_ROWS
 */
export function checkRows<T extends z.ZodType>(file: string, text: string, schema: T): NumberedRow<z.output<T>>[] {
  const { rows, problems } = parseJsonRows(text);
  const checked: NumberedRow<z.output<T>>[] = [];
  for (const row of rows) {
    const parsed = schema.safeParse(row.value);
    if (parsed.success) checked.push({ line: row.line, value: parsed.data });
    else
      for (const issue of parsed.error.issues)
        problems.push({ line: row.line, message: `${issue.path.join('.') || 'row'}: ${issue.message}` });
  }
  throwRowProblems(file, problems);
  if (checked.length === 0) throw new OSLER_ERR_DATA_EMPTY(file, '');
  return checked;
}

/** Throws OSLER_ERR_DATA_ROWS naming the lines, where there are problems. */
export function throwRowProblems(file: string, problems: readonly RowProblem[]): void {
  if (problems.length === 0) return;
  const sorted = problems.toSorted((a, b) => a.line - b.line);
  const shown = sorted.slice(0, shownProblems).map((problem) => `  line ${problem.line}: ${problem.message}`);
  if (sorted.length > shownProblems) shown.push(`  … and ${sorted.length - shownProblems} more problems`);
  throw new OSLER_ERR_DATA_ROWS(file, new Set(sorted.map((problem) => problem.line)).size, shown.join('\n'));
}

/** Where JSON ends to be valid. The engine's own message quotes the text, which may be a patient's. */
function placeOf(error: unknown): string {
  const place = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined;
  return place === undefined ? ': the line ends too early or has a wrong character' : `: wrong at character ${Number(place) + 1}`;
}

/** Values as JSON Lines, each with its line end. */
export function toJsonLines(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}
