import { sha256 } from '../../core/digest.ts';
import { isRecord } from '../../core/is-record.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import type { TrainingRow } from '../../core/schema/training-row.ts';
import { columnRoles } from './column-names.ts';

/** The three texts of a row, trimmed, with an id of their content; or every reason why it is no row. */
export function takeRow(value: unknown, columns: Recipe['data']['columns']): { row: TrainingRow } | { problems: string[] } {
  if (!isRecord(value)) return { problems: ['not a JSON object'] };
  const problems = columnRoles.flatMap((role) => {
    const problem = problemOf(value[columns[role]]);
    return problem === undefined ? [] : [`${columns[role]}: ${problem}`];
  });
  if (problems.length > 0) return { problems };
  const [question = '', thought = '', answer = ''] = columnRoles.map((role) => String(value[columns[role]]).trim());
  return { row: { id: sha256(JSON.stringify([question, thought, answer])), question, thought, answer } };
}

function problemOf(value: unknown): string | undefined {
  if (value === undefined) return 'is missing';
  if (typeof value !== 'string') return `must be text, and is ${value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value}`;
  if (value.trim() === '') return 'must not be blank';
  if (value.includes('\0')) return 'holds a NUL character';
  if (!value.isWellFormed()) return 'holds half of a surrogate pair, which is no character';
  return undefined;
}
