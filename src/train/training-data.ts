import path from 'node:path';
import { sha256 } from '../core/digest.ts';
import { OSLER_ERR_DATA_COLUMNS, OSLER_ERR_DATA_EMPTY } from '../core/errors.ts';
import { isRecord } from '../core/is-record.ts';
import { type NumberedRow, parseJsonRows, readTextFile, type RowProblem, throwRowProblems } from '../core/jsonl.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import type { TrainingRow } from '../core/schema/training-row.ts';

/** Rows to train on and rows kept out, with where they came from. */
export interface TrainingData {
  readonly train: readonly TrainingRow[];
  readonly heldOut: readonly TrainingRow[];
  /** sha256 of the file's text. */
  readonly digest: string;
}

const roles = ['question', 'thought', 'answer'] as const;

/**
 * Reads a file of rows by the recipe's columns, checks every row, and splits off the held-out ones.
 *
 * @throws OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_DATA_COLUMNS, OSLER_ERR_DATA_ROWS naming all bad lines, OSLER_ERR_DATA_EMPTY
 */
export async function readTrainingData(file: string, data: Recipe['data']): Promise<TrainingData> {
  const text = await readTextFile(file);
  const name = path.basename(file);
  const { rows, problems } = parseJsonRows(text);
  checkColumns(name, rows, data.columns);
  const checked: TrainingRow[] = [];
  for (const row of rows) {
    const taken = takeRow(row, data.columns, problems);
    if (taken !== undefined) checked.push(taken);
  }
  throwRowProblems(name, problems);
  return { ...splitRows(name, checked, data), digest: sha256(text) };
}

/** Held-out rows follow the used ones, so that they are never among them; without a limit they are the last ones. */
export function splitRows(
  name: string,
  rows: readonly TrainingRow[],
  data: Pick<Recipe['data'], 'offset' | 'limit' | 'heldOutRows'>,
): { train: TrainingRow[]; heldOut: TrainingRow[] } {
  const end = data.limit === null ? rows.length - data.heldOutRows : Math.min(data.offset + data.limit, rows.length);
  const train = rows.slice(data.offset, Math.max(end, data.offset));
  if (train.length === 0)
    throw new OSLER_ERR_DATA_EMPTY(
      name,
      ` to train on: it has ${rows.length}, the recipe starts at row ${data.offset} and keeps ${data.heldOutRows} out`,
    );
  const trained = new Set(train.map((row) => row.id));
  // A row that stands twice would be evaluated twice under one id.
  const kept = new Map(rows.slice(end, end + data.heldOutRows).map((row) => [row.id, row]));
  const heldOut = [...kept.values()].filter((row) => !trained.has(row.id));
  return { train, heldOut };
}

function checkColumns(name: string, rows: readonly NumberedRow<unknown>[], columns: Recipe['data']['columns']): void {
  if (rows.length === 0) return;
  const present = new Set(rows.flatMap((row) => (isRecord(row.value) ? Object.keys(row.value) : [])));
  for (const role of roles) {
    if (!present.has(columns[role])) throw new OSLER_ERR_DATA_COLUMNS(name, columns[role], [...present].join(', '));
  }
}

function takeRow(row: NumberedRow<unknown>, columns: Recipe['data']['columns'], problems: RowProblem[]): TrainingRow | undefined {
  const { value, line } = row;
  if (!isRecord(value)) {
    problems.push({ line, message: 'not a JSON object' });
    return undefined;
  }
  const texts = roles.map((role) => {
    const text = value[columns[role]];
    if (typeof text === 'string' && text.trim() !== '') return text.trim();
    problems.push({
      line,
      message: `${columns[role]}: ${text === undefined ? 'is missing' : typeof text === 'string' ? 'must not be blank' : `must be text, and is ${text === null ? 'null' : typeof text}`}`,
    });
    return undefined;
  });
  const [question, thought, answer] = texts;
  if (question === undefined || thought === undefined || answer === undefined) return undefined;
  return { id: sha256(JSON.stringify([question, thought, answer])), question, thought, answer };
}
