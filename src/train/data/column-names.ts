import type { Recipe } from '../../core/schema/recipe.ts';

type Columns = Recipe['data']['columns'];
/** What a column is for. */
export type ColumnRole = keyof Columns;
export const columnRoles = ['question', 'thought', 'answer'] as const satisfies readonly ColumnRole[];

/** What data sets of questions with reasoning call their columns; the likeliest first. */
const usualNames: Record<ColumnRole, readonly string[]> = {
  question: ['question', 'instruction', 'prompt', 'input', 'query', 'problem'],
  thought: ['complex_cot', 'reasoning', 'thought', 'chain_of_thought', 'cot', 'rationale', 'thinking', 'explanation'],
  answer: ['response', 'answer', 'output', 'final_answer', 'completion', 'solution'],
};

/** A column that the recipe names and the data set lacks; `lookalike` is one that it has. */
export interface MissingColumn {
  readonly role: ColumnRole;
  readonly column: string;
  readonly lookalike: string | null;
}

/** Which columns are not there, each with one that may be meant: the same name in another case, else a usual name of its role. */
export function missingColumns(columns: Columns, present: readonly string[]): MissingColumn[] {
  const free = present.filter((name) => !columnRoles.some((role) => columns[role] === name));
  return columnRoles
    .filter((role) => !present.includes(columns[role]))
    .map((role) => {
      const candidates = [columns[role], ...usualNames[role]].map(folded);
      const best = candidates.flatMap((candidate) => free.find((name) => folded(name) === candidate) ?? [])[0];
      return { role, column: columns[role], lookalike: best ?? null };
    });
}

/** `Complex_CoT`, `complex-cot` and `ComplexCoT` alike. */
function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '');
}
