import { stat } from 'node:fs/promises';
import path from 'node:path';
import { digestOfJson, sha256OfFile } from '../../core/digest.ts';
import { OSLER_ERR_DATA_COLUMNS, OSLER_ERR_DATA_EMPTY, OSLER_ERR_DATA_ROWS } from '../../core/errors.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import type { TrainingRow } from '../../core/schema/training-row.ts';
import type { RunSource } from '../run-source.ts';
import { columnRoles } from './column-names.ts';
import type { Repeat } from './drop-repeats.ts';
import { type DataProblem, type Examination, examineData } from './examine-data.ts';
import { type LocateDeps, type LocatedDataset, locateDataset } from './locate-dataset.ts';

const shownProblems = 20;

/** Rows as a run trains on them. */
export interface PreparedData {
  readonly train: readonly TrainingRow[];
  readonly heldOut: readonly TrainingRow[];
  /** What source.json keeps of where they came from and what was left out. */
  readonly source: RunSource['data'];
}

/** A data set that was found and looked at, whatever was found. */
export interface ExaminedDataset {
  readonly located: LocatedDataset;
  readonly examination: Examination;
}

/**
 * Finds, reads, checks and splits the rows of a recipe.
 *
 * @throws OSLER_ERR_DATA_COLUMNS, OSLER_ERR_DATA_ROWS naming all bad rows, OSLER_ERR_DATA_EMPTY, OSLER_ERR_DATA_FORMAT,
 * OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_USAGE, OSLER_ERR_HUB_*
 */
export async function prepareData(data: Recipe['data'], deps: LocateDeps): Promise<PreparedData> {
  const located = await locateDataset(data, deps);
  const dataset: ExaminedDataset = { located, examination: await examineData(located.files, data) };
  throwDataProblems(data, dataset.examination);
  const { rows } = dataset.examination;
  return {
    train: rows.train.map(({ row }) => row),
    heldOut: rows.heldOut.map(({ row }) => row),
    source: await sourceOf(data, dataset),
  };
}

/** Throws what keeps an examined data set from being trained on; all problems of a kind together. */
export function throwDataProblems(data: Recipe['data'], examination: Examination): void {
  const { missing, unfit, problems, rowCount, selection, rows, columns } = examination;
  const name = nameOf(examination);
  if (missing.length > 0)
    throw new OSLER_ERR_DATA_COLUMNS(
      name,
      `${missing.map(({ column }) => `"${column}"`).join(', ')} (it has: ${columns.join(', ')})`,
      missing
        .map(({ role, column, lookalike }) =>
          lookalike === null
            ? `Name the one in place of "${column}": --set data.columns.${role}=…`
            : `Did you mean --set data.columns.${role}=${lookalike}?`,
        )
        .join(' '),
    );
  const unfitColumns = unfit.map(({ column, type }) => ({ place: `column "${column}"`, message: `must be text, and is of type ${type}` }));
  throwProblems(name, [...unfitColumns, ...problems]);
  if (rowCount === 0) throw new OSLER_ERR_DATA_EMPTY(name, '');
  if (rows.train.length === 0)
    throw new OSLER_ERR_DATA_EMPTY(
      name,
      ` to train on: it has ${rowCount}, the recipe asks for ${sliceText(data)} and keeps ${selection.heldOut.length} out`,
    );
}

/** The rows that a recipe asks for, as a slice. */
export function sliceText({ split, offset, limit }: Pick<Recipe['data'], 'split' | 'offset' | 'limit'>): string {
  if (split.includes('[') && offset === 0 && limit === null) return split;
  return `${split}[${offset}:${limit === null ? '' : offset + limit}]`;
}

/** A short name for messages. */
export function nameOf({ files }: Pick<Examination, 'files'>): string {
  const [first] = files;
  return files.length === 1 && first !== undefined ? path.basename(first.file) : `${files.length} files`;
}

/** Problems as they are shown: the first twenty, and how many more there are. */
export function problemLines(problems: readonly DataProblem[]): string[] {
  const shown = problems.slice(0, shownProblems).map(({ place, message }) => `  ${place}: ${message}`);
  return problems.length > shownProblems ? [...shown, `  … and ${problems.length - shownProblems} more problems`] : shown;
}

function throwProblems(name: string, problems: readonly DataProblem[]): void {
  if (problems.length === 0) return;
  throw new OSLER_ERR_DATA_ROWS(name, new Set(problems.map(({ place }) => place)).size, problemLines(problems).join('\n'));
}

/** What source.json keeps of rows that were read: their files with checksums, and what was left out. */
export async function sourceOf(data: Recipe['data'], { located, examination }: ExaminedDataset): Promise<RunSource['data']> {
  const files = await Promise.all(
    examination.files.map(async ({ file, format, rows }) => ({
      name: path.basename(file),
      format,
      rows,
      bytes: (await stat(file)).size,
      sha256: await sha256OfFile(file),
    })),
  );
  const [only] = files;
  const { rows } = examination;
  const dropped = (repeats: readonly Repeat[]): string[] => repeats.map(({ place, of }) => `${place} repeats ${of}`);
  return {
    ref: data.ref,
    revision: located.revision,
    sha256: files.length === 1 && only !== undefined ? only.sha256 : digestOfJson(files.map(({ sha256 }) => sha256)),
    trainRows: rows.train.length,
    heldOutRows: rows.heldOut.length,
    licence: located.licence,
    files,
    sourceRows: examination.rowCount,
    columns: Object.fromEntries(columnRoles.map((role) => [role, data.columns[role]])),
    dropped: {
      duplicates: data.deduplicate ? dropped(rows.repeats) : [],
      heldOutTrained: dropped(rows.trained),
      heldOutTwice: dropped(rows.heldOutTwice),
    },
    notes: [...located.notes],
  };
}
