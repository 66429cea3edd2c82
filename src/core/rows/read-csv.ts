import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import type { SourceItem, SourceTable } from './source-row.ts';
import { linesThatAreNotUtf8 } from './utf8-lines.ts';

const newline = 10;

/**
 * CSV as RFC 4180 has it: a header, quoted fields that may hold line ends, `""` for a quote. Read whole.
 * A `.csv` whose header holds no comma may be separated by `;` or tabs. Rows are placed by the line on which they begin.
 *
 * @param only columns to keep of a row; null: all
 */
export async function readCsv(file: string, format: 'csv' | 'tsv', only: readonly string[] | null): Promise<SourceTable> {
  const bytes = await readFile(file);
  const broken = linesThatAreNotUtf8(bytes);
  if (broken.length > 0)
    return {
      columns: null,
      unfit: [],
      items: inTurn(broken.map((line) => ({ place: `line ${line}`, problem: 'not UTF-8 text; save the file as UTF-8' }))),
    };
  const { records, failure } = parseRecords(bytes, format);
  const header = records.shift();
  const columns = header?.fields ?? [];
  const wanted = only ?? [...new Set(columns)];
  const items = records.filter(({ fields }) => !isBlank(fields)).map((record) => itemOf(record, columns, wanted));
  if (failure !== undefined) items.push(failure);
  const doubled = wanted.filter((name) => columns.filter((column) => column === name).length > 1);
  for (const name of doubled) items.unshift({ place: `line ${header?.line ?? 1}`, problem: `column "${name}" stands twice in the header` });
  return { columns: header === undefined ? null : columns, unfit: [], items: inTurn(items) };
}

interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

function parseRecords(bytes: Buffer, format: 'csv' | 'tsv'): { records: CsvRecord[]; failure: SourceItem | undefined } {
  const records: CsvRecord[] = [];
  const lines = lineCounter(bytes);
  let line = 1;
  try {
    parse(bytes, {
      bom: true,
      delimiter: format === 'tsv' ? '\t' : delimiterOf(bytes),
      relax_column_count: true,
      // Its own count of lines takes CRLF inside quotes for two.
      on_record: (fields: string[], { bytes: end }) => {
        records.push({ line, fields });
        line = lines(end);
        return null;
      },
    });
    return { records, failure: undefined };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!/QUOTE/.test(code)) throw error;
    const what = code === 'CSV_QUOTE_NOT_CLOSED' ? 'a quote is opened and never closed' : 'a quote stands inside a field';
    const problem = `${what}; write "" for a quote and put the whole field in quotes. What follows was not read`;
    return { records, failure: { place: `line ${line}`, problem } };
  }
}

/** Counts lines up to a byte; for places that only grow. */
function lineCounter(bytes: Buffer): (end: number) => number {
  let [at, line] = [0, 1];
  return (end) => {
    for (let next = bytes.indexOf(newline, at); next >= 0 && next < end; next = bytes.indexOf(newline, at)) {
      line += 1;
      at = next + 1;
    }
    return line;
  };
}

function delimiterOf(bytes: Buffer): string {
  const end = bytes.indexOf(newline);
  const header = bytes.subarray(0, end < 0 ? bytes.length : end).toString('utf8');
  return [',', ';', '\t'].find((sign) => header.includes(sign)) ?? ',';
}

function itemOf({ line, fields }: CsvRecord, columns: readonly string[], wanted: readonly string[]): SourceItem {
  const place = `line ${line}`;
  if (fields.length !== columns.length) return { place, problem: `has ${fields.length} fields, and the header ${columns.length}` };
  return { place, value: Object.fromEntries(wanted.map((name) => [name, fields[columns.indexOf(name)]])) };
}

function isBlank(fields: readonly string[]): boolean {
  return fields.length === 1 && fields[0]?.trim() === '';
}

async function* inTurn(items: readonly SourceItem[]): AsyncGenerator<SourceItem> {
  yield* items;
}
