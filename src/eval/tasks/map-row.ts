import { isRecord } from '../../core/is-record.ts';
import { normaliseText } from '../normalise-text.ts';
import type { ItemFault } from './item-fault.ts';
import { columnText, textOf, valueOf } from './row-columns.ts';
import type { ColumnMapping } from './task-manifest.ts';

type Row = Readonly<Record<string, unknown>>;
type Options = Readonly<Record<string, string>>;

/** The fields of a question that a row becomes, without an id unless the mapping names one, and what is wrong with it. */
export interface MappedRow {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly faults: readonly ItemFault[];
}

/** Reads a row by its mapping: options in their order from A on, the gold answer as a letter. */
export function mapRow(row: unknown, mapping: ColumnMapping): MappedRow {
  if (!isRecord(row)) return { fields: {}, faults: [{ kind: 'malformed', reason: 'row: not an object' }] };
  const faults: ItemFault[] = [];
  const question = columnText(row, mapping.question);
  if (question === null) faults.push({ kind: 'noQuestion', reason: 'question: is blank' });
  const id = columnText(row, mapping.id);
  if (mapping.id !== undefined && id === null) faults.push({ kind: 'malformed', reason: 'id: is blank' });
  const choice = mapping.options === undefined ? null : readChoice(row, mapping, faults);
  const answerText = choice === null ? columnText(row, mapping.answerText) : choice.answerText;
  if (choice === null && answerText === null) faults.push({ kind: 'noAnswer', reason: 'answer: there is none' });
  const [specialty, sourceId] = [columnText(row, mapping.specialty), columnText(row, mapping.sourceId)];
  return {
    fields: {
      ...(id !== null && { id }),
      question,
      options: choice?.options ?? null,
      answer: choice?.letter ?? null,
      answer_text: answerText,
      reasoning: columnText(row, mapping.reasoning),
      context: columnText(row, mapping.context),
      subject: columnText(row, mapping.subject),
      cluster: columnText(row, mapping.cluster),
      ...(specialty !== null && { specialty }),
      ...(sourceId !== null && { sourceId }),
    },
    faults,
  };
}

function readChoice(
  row: Row,
  mapping: ColumnMapping,
  faults: ItemFault[],
): { options: Options | null; letter: string | null; answerText: string | null } {
  const texts = optionTexts(row, mapping.options, faults);
  const letters = Object.keys(texts);
  if (letters.length < 2) faults.push({ kind: 'fewOptions', reason: `options: there are ${letters.length}, and two are the least` });
  const blank = letters.filter((letter) => texts[letter] === '');
  if (blank.length > 0) faults.push({ kind: 'emptyOption', reason: `options: ${blank.join(' and ')} without text` });
  const letter = readLetter(row, mapping.answer, texts, faults);
  return { options: texts, letter, answerText: letter === null ? null : (texts[letter] ?? null) };
}

/** Texts by letter, in order. Blanks stay, as letters would shift without them; those after the last text are no options. */
function optionTexts(row: Row, options: ColumnMapping['options'], faults: ItemFault[]): Record<string, string> {
  const value = typeof options === 'string' ? valueOf(row, options) : undefined;
  if (isRecord(value)) {
    const entries = Object.entries(value).flatMap(([letter, text]) => (text === null ? [] : [[letter, textOf(text) ?? ''] as const]));
    const foreign = entries.filter(([letter]) => !/^[A-Z]$/.test(letter)).map(([letter]) => JSON.stringify(letter));
    if (foreign.length > 0) faults.push({ kind: 'malformed', reason: `options: ${foreign.join(', ')}: keys are single capital letters` });
    return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }
  const list = Array.isArray(options)
    ? options.map((column) => valueOf(row, column))
    : typeof options === 'object'
      ? options.fixed
      : Array.isArray(value)
        ? value
        : [];
  const texts = list.map((text: unknown) => textOf(text) ?? '');
  const end = texts.findLastIndex((text) => text !== '') + 1;
  return Object.fromEntries(texts.slice(0, end).map((text, index) => [letterOf(index), text]));
}

function readLetter(row: Row, answer: ColumnMapping['answer'], options: Options, faults: ItemFault[]): string | null {
  const given = answer === undefined ? null : textOf(valueOf(row, answer.column));
  if (answer === undefined || given === null) {
    faults.push({ kind: 'noAnswer', reason: 'answer: there is none' });
    return null;
  }
  const found = lettersNamed(given, answer.as, options);
  const [letter, another] = found;
  if (letter === undefined)
    faults.push({
      kind: 'answerOutside',
      reason: `answer: ${answer.as === 'text' ? 'its text' : JSON.stringify(given)} is none of the options ${Object.keys(options).join(', ')}`,
    });
  else if (another !== undefined) faults.push({ kind: 'answerOutside', reason: `answer: its text is that of ${found.join(' and ')}` });
  return another === undefined ? (letter ?? null) : null;
}

function lettersNamed(given: string, as: 'letter' | 'index' | 'text', options: Options): string[] {
  if (as === 'text') return Object.keys(options).filter((letter) => normaliseText(options[letter] ?? '') === normaliseText(given));
  const letter = as === 'letter' ? given : /^\d{1,2}$/.test(given) ? letterOf(Number(given)) : '';
  return Object.hasOwn(options, letter) ? [letter] : [];
}

function letterOf(index: number): string {
  return String.fromCodePoint(65 + index);
}
