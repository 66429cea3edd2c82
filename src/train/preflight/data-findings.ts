import type { CheckFinding } from '../../core/schema/training-check.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import type { Repeat } from '../data/drop-repeats.ts';
import { columnRoles } from '../data/column-names.ts';
import type { Examination } from '../data/examine-data.ts';
import { type ExaminedDataset, nameOf, problemLines, sliceText } from '../data/prepare-data.ts';
import { parseSplit } from '../data/split-slice.ts';

const shownPlaces = 5;
/** Stands where bytes could not be read as text. */
const replacement = '\uFFFD';

/** What a look at the rows gives to mend, to look at or to know. Errors are exactly what training would refuse. */
export function dataFindings(recipe: Recipe, { located, examination }: ExaminedDataset): CheckFinding[] {
  const { data } = recipe;
  const notes = located.notes.map((message) => finding('note', 'sourceNote', sentence(message)));
  const blocking = [...columnFindings(data, examination), ...rowFindings(examination)];
  if (blocking.length > 0) return [...blocking, ...notes];
  if (examination.rows.train.length === 0) return [emptyFinding(data, examination), ...notes];
  return [
    ...sliceFindings(data, examination),
    ...heldOutFindings(recipe, examination),
    ...duplicateFindings(data, examination),
    ...unusedFindings(examination),
    ...damagedFindings(examination),
    ...notes,
  ];
}

function columnFindings({ columns }: Recipe['data'], { missing, unfit, columns: present }: Examination): CheckFinding[] {
  return [
    ...missing.map(({ role, column, lookalike }) =>
      finding(
        'error',
        'columnsMissing',
        `There is no column "${column}" for the ${role}${lookalike === null ? '' : `; "${lookalike}" may be it`}. The columns are: ${present.join(', ')}.`,
        `data.columns.${role}`,
        lookalike,
      ),
    ),
    ...unfit.map(({ column, type }) =>
      finding(
        'error',
        'columnsUnfit',
        `Column "${column}" must be text, and is of type ${type}.`,
        `data.columns.${columnRoles.find((role) => columns[role] === column) ?? 'question'}`,
      ),
    ),
  ];
}

function rowFindings({ problems, rowCount }: Examination): CheckFinding[] {
  if (problems.length === 0) return [];
  const rows = new Set(problems.map(({ place }) => place)).size;
  return [finding('error', 'rowsInvalid', `${count(rows, 'row')} of ${rowCount} cannot be used:\n${problemLines(problems).join('\n')}`)];
}

function emptyFinding(data: Recipe['data'], examination: Examination): CheckFinding {
  const { rowCount, selection } = examination;
  if (rowCount === 0) return finding('error', 'rowsEmpty', `"${nameOf(examination)}" holds no rows.`);
  const message = `No row is left to train on: there are ${rowCount}, the recipe asks for ${sliceText(data)} and keeps ${selection.heldOut.length} out.`;
  return selection.heldOut.length >= rowCount
    ? finding('error', 'rowsEmpty', message, 'data.heldOutRows', Math.floor(rowCount / 10))
    : finding('error', 'rowsEmpty', message, 'data.offset', 0);
}

function sliceFindings(data: Recipe['data'], { rowCount, selection }: Examination): CheckFinding[] {
  const slice = parseSplit(data.split);
  const end = slice.unit === 'rows' && slice.to !== null ? slice.to : data.limit === null ? 0 : data.offset + data.limit;
  if (end <= rowCount) return [];
  const used = count(selection.train.length, 'row');
  const setting = slice.to === null ? 'data.limit' : 'data.split';
  const value = slice.to === null ? Math.max(1, rowCount - data.offset) : `${slice.split}[${slice.from ?? ''}:]`;
  const message = `The recipe asks for ${sliceText(data)} and there are ${rowCount} rows: ${used} ${selection.train.length === 1 ? 'is' : 'are'} trained on.`;
  return [finding('warning', 'sliceBeyondEnd', message, setting, value)];
}

function heldOutFindings({ data, trainer }: Recipe, { rowCount, selection, rows }: Examination): CheckFinding[] {
  const found: CheckFinding[] = [];
  // The trainer refuses to measure a loss on no rows.
  const lacksAll = rows.heldOut.length === 0 && trainer.evalSteps !== null;
  const isShort = selection.heldOut.length < data.heldOutRows;
  if (isShort) {
    const spare = rowCount - data.offset - data.heldOutRows;
    const why = `${selection.heldOut.length} of the ${data.heldOutRows} held-out rows are there behind ${sliceText(data)}${lacksAll ? ', and trainer.evalSteps needs some' : ''}.`;
    const [setting, value] = spare > 0 ? (['data.limit', spare] as const) : (['data.heldOutRows', selection.heldOut.length] as const);
    found.push(finding(lacksAll ? 'error' : 'warning', 'heldOutShort', why, setting, value));
  }
  if (rows.trained.length > 0)
    found.push(
      finding(
        'note',
        'heldOutTrained',
        `${count(rows.trained.length, 'row')} of ${selection.heldOut.length} will not be held out, because a trained row asks the same (${listed(rows.trained)}).`,
      ),
    );
  if (lacksAll && !isShort)
    found.push(
      finding(
        'error',
        'heldOutShort',
        'No row is held out, and trainer.evalSteps needs some: set it to null, or hold rows out.',
        'data.heldOutRows',
        Math.max(1, Math.min(200, Math.floor(rowCount / 10))),
      ),
    );
  return found;
}

function duplicateFindings({ deduplicate }: Recipe['data'], { rows, selection }: Examination): CheckFinding[] {
  const found: CheckFinding[] = [];
  if (rows.repeats.length > 0) {
    const same = rows.repeats.filter(({ isSameRow }) => isSameRow).length;
    const what = `${count(rows.repeats.length, 'row')} of ${selection.train.length} ask what an earlier row asks, ${same} of them with the same thought and answer (${listed(rows.repeats)})`;
    if (deduplicate) found.push(finding('note', 'duplicates', `${what}. They are left out.`));
    else found.push(finding('warning', 'duplicates', `${what}. They are trained on.`, 'data.deduplicate', true));
  }
  if (rows.heldOutTwice.length > 0)
    found.push(finding('note', 'duplicates', `${count(rows.heldOutTwice.length, 'held-out row')} stand there twice; each is kept once.`));
  return found;
}

function unusedFindings({ unusedProblems }: Examination): CheckFinding[] {
  if (unusedProblems.length === 0) return [];
  const rows = new Set(unusedProblems.map(({ place }) => place)).size;
  return [
    finding(
      'note',
      'rowsInvalidUnused',
      `${count(rows, 'row')} that the recipe does not ask for cannot be used:\n${problemLines(unusedProblems).join('\n')}`,
    ),
  ];
}

function damagedFindings({ rows }: Examination): CheckFinding[] {
  const damaged = rows.train.filter(({ row }) => [row.question, row.thought, row.answer].some((text) => text.includes(replacement)));
  if (damaged.length === 0) return [];
  const places = damaged.slice(0, shownPlaces).map(({ place }) => place);
  const more = damaged.length > shownPlaces ? ', …' : '';
  return [
    finding(
      'warning',
      'textDamaged',
      `${count(damaged.length, 'row')} hold the sign ${replacement}, which stands for text that was lost when they were saved (${places.join(', ')}${more}).`,
    ),
  ];
}

/** A finding; without a setting none mends it. */
export function finding(
  level: CheckFinding['level'],
  code: CheckFinding['code'],
  message: string,
  setting: string | null = null,
  value: CheckFinding['value'] = null,
): CheckFinding {
  return { level, code, message, setting, value };
}

function listed(repeats: readonly Repeat[]): string {
  const shown = repeats.slice(0, shownPlaces).map(({ place, of }) => `${place} as ${of}`);
  return `${shown.join(', ')}${repeats.length > shownPlaces ? ', …' : ''}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
