import path from 'node:path';
import { isRecord } from '../../core/is-record.ts';
import { detectFormat } from '../../core/rows/data-format.ts';
import { openTable } from '../../core/rows/open-table.ts';
import type { DataFormat, SourceTable } from '../../core/rows/source-row.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import { type MissingColumn, missingColumns, columnRoles } from './column-names.ts';
import { dropRepeats, type PlacedRow, type WithoutRepeats } from './drop-repeats.ts';
import { type Selection, selectRows } from './select-rows.ts';
import { takeRow } from './take-row.ts';

/** What is wrong at a place of the data, such as `line 3` or `part-2.parquet row 17`. */
export interface DataProblem {
  readonly place: string;
  readonly message: string;
}

/** A file of rows as it was read. */
export interface ExaminedFile {
  readonly file: string;
  readonly format: DataFormat;
  readonly rows: number;
}

/** Everything that a look at the rows tells; nothing of it is an exception. */
export interface Examination {
  readonly files: readonly ExaminedFile[];
  /** Names of the columns, of all files. */
  readonly columns: readonly string[];
  readonly missing: readonly MissingColumn[];
  /** Wanted columns of a type that holds no text. */
  readonly unfit: readonly { readonly column: string; readonly type: string }[];
  /** Rows of the source, good or bad. */
  readonly rowCount: number;
  /** Positions that the recipe asks for. */
  readonly selection: Selection;
  /** Places that cannot be read anywhere, and bad rows among those that are asked for. */
  readonly problems: readonly DataProblem[];
  /** Bad rows that the recipe does not ask for. */
  readonly unusedProblems: readonly DataProblem[];
  /** The rows asked for that are good. */
  readonly rows: WithoutRepeats;
}

interface RawRow {
  readonly place: string;
  readonly value: unknown;
}

/**
 * Reads files of one split, in order, and looks at every row.
 *
 * @throws OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_DATA_FORMAT, OSLER_ERR_USAGE
 */
export async function examineData(files: readonly string[], data: Recipe['data']): Promise<Examination> {
  const wanted = columnRoles.map((role) => data.columns[role]);
  const raw: RawRow[] = [];
  const examined: ExaminedFile[] = [];
  const unreadable: DataProblem[] = [];
  const unfit: { column: string; type: string }[] = [];
  const columns = new Set<string>();
  for (const file of files) {
    const format = await detectFormat(file);
    const table = await openTable(file, format, { columns: wanted, values: 'text' });
    const prefix = files.length === 1 ? '' : `${path.basename(file)} `;
    const before = raw.length;
    for (const name of table.columns ?? []) columns.add(name);
    unfit.push(...table.unfit.map(({ column, type }) => ({ column, type: `${prefix}${type}` })));
    for await (const item of table.items) {
      const place = `${prefix}${item.place}`;
      if ('problem' in item) unreadable.push({ place, message: item.problem });
      else raw.push({ place, value: kept(item.value, table, columns, wanted) });
    }
    examined.push({ file, format, rows: raw.length - before });
  }
  const selection = selectRows(raw.length, data);
  const isUnfit = unfit.length > 0;
  const missing = columns.size === 0 ? [] : missingColumns(data.columns, [...columns]);
  const judged = missing.length > 0 || isUnfit ? { good: new Map<number, PlacedRow>(), bad: new Map<number, DataProblem[]>() } : judge(raw, data);
  const asked = new Set([...selection.train, ...selection.heldOut]);
  const goodOf = (positions: readonly number[]): PlacedRow[] => positions.flatMap((position) => judged.good.get(position) ?? []);
  const badOf = (isAsked: boolean): DataProblem[] =>
    [...judged.bad].flatMap(([position, problems]) => (asked.has(position) === isAsked ? problems : []));
  return {
    files: examined,
    columns: [...columns],
    missing,
    unfit,
    rowCount: raw.length,
    selection,
    problems: [...unreadable, ...badOf(true)].toSorted((a, b) => collator.compare(a.place, b.place)),
    unusedProblems: badOf(false),
    rows: dropRepeats(goodOf(selection.train), goodOf(selection.heldOut), data.deduplicate),
  };
}

/** Sorts `line 10` after `line 9`. */
const collator = new Intl.Collator('en', { numeric: true });

/** The wanted fields of a row, so that the others need not be kept. */
function kept(value: unknown, table: SourceTable, columns: Set<string>, wanted: readonly string[]): unknown {
  if (table.columns !== null || !isRecord(value)) return value;
  for (const name of Object.keys(value)) columns.add(name);
  return Object.fromEntries(wanted.filter((name) => Object.hasOwn(value, name)).map((name) => [name, value[name]]));
}

function judge(raw: readonly RawRow[], data: Recipe['data']): { good: Map<number, PlacedRow>; bad: Map<number, DataProblem[]> } {
  const good = new Map<number, PlacedRow>();
  const bad = new Map<number, DataProblem[]>();
  for (const [position, { place, value }] of raw.entries()) {
    const taken = takeRow(value, data.columns);
    if ('row' in taken) good.set(position, { place, row: taken.row });
    else bad.set(position, taken.problems.map((message) => ({ place, message })));
  }
  return { good, bad };
}
