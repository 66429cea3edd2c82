import path from 'node:path';
import { OSLER_ERR_DATA_COLUMNS, OSLER_ERR_DATA_EMPTY } from '../../core/errors.ts';
import { isRecord } from '../../core/is-record.ts';
import { detectFormat } from '../../core/rows/data-format.ts';
import { openTable } from '../../core/rows/open-table.ts';
import type { SourceItem } from '../../core/rows/source-row.ts';
import type { LocatedRows, RowForm } from './locate-rows.ts';
import { absentColumns, textOf, valueOf } from './row-columns.ts';

/** Rows of a part and the shape that they have. */
export interface ReadRows {
  readonly rows: readonly SourceItem[];
  readonly columns: RowForm['columns'];
}

/**
 * Reads the rows of a part that its filter lets through, with the places that cannot be read.
 *
 * @throws OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_DATA_FORMAT, OSLER_ERR_DATA_EMPTY, OSLER_ERR_DATA_COLUMNS naming every column that is not there
 */
export async function readRows({ files, names, forms }: LocatedRows): Promise<ReadRows> {
  const label = files.length === 1 ? path.basename(files[0] ?? '') : names.join(', ');
  const all: SourceItem[] = [];
  for (const [index, file] of files.entries()) {
    const table = await openTable(file, await detectFormat(file), { columns: null, values: 'any' });
    const prefix = files.length === 1 ? '' : `${names[index] ?? ''} `;
    for await (const item of table.items) all.push({ ...item, place: `${prefix}${item.place}` });
  }
  if (all.length === 0) throw new OSLER_ERR_DATA_EMPTY(label, '');
  const { columns, where = {} } = fittingForm(all, forms, label);
  const rows = all.filter((row) => 'problem' in row || !isRecord(row.value) || isWanted(row.value, where));
  if (rows.length === 0) {
    const wanted = Object.entries(where).map(([column, text]) => `${column} "${text}"`);
    throw new OSLER_ERR_DATA_EMPTY(label, ` with ${wanted.join(' and ')}`);
  }
  return { rows, columns };
}

function fittingForm(all: readonly SourceItem[], forms: readonly RowForm[], label: string): RowForm {
  const rows = all.flatMap((row) => ('value' in row && isRecord(row.value) ? [row.value] : []));
  const tried = forms.map((form) => ({ form, absent: form.columns === null ? [] : absentColumns(form.columns, form.where, rows) }));
  // With no row to look at, its problems are told and not its columns.
  const fitting = rows.length === 0 ? tried[0] : tried.find(({ absent }) => absent.length === 0);
  if (fitting !== undefined) return fitting.form;
  const nearest = tried.toSorted((a, b) => a.absent.length - b.absent.length)[0]?.absent ?? [];
  const present = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  throw new OSLER_ERR_DATA_COLUMNS(
    label,
    nearest.map((column) => `"${column}"`).join(', '),
    `It has: ${present.join(', ')}. Name the right ones in the benchmark's file.`,
  );
}

function isWanted(row: Readonly<Record<string, unknown>>, where: Readonly<Record<string, string>>): boolean {
  return Object.entries(where).every(([column, text]) => textOf(valueOf(row, column)) === text);
}
