import type { z } from 'zod';
import type { SourceItem } from '../../core/rows/source-row.ts';
import { Question } from '../../core/schema/question.ts';
import { defaultPrompts } from '../ask-item.ts';
import { contentId } from './content-id.ts';
import { equalOptions } from './equal-options.ts';
import type { FaultKind, ItemFault, PlacedFault } from './item-fault.ts';
import { mapRow } from './map-row.ts';
import type { AcceptedFault, ColumnMapping } from './task-manifest.ts';

/** What of a task decides how its rows become items. */
export interface RowRules {
  readonly task: string;
  /** null: rows are questions in our own form, with ids of their own. */
  readonly columns: ColumnMapping | null;
  readonly prompt?: string | undefined;
  readonly accepts: readonly AcceptedFault[];
}

/** Rows as items, in order; whatever is wrong with the others, and with those that are kept all the same. */
export interface CheckedItems {
  readonly items: readonly Question[];
  /** Of rows that are no items, all their faults. */
  readonly faults: readonly PlacedFault[];
  /** Of items that the rules let pass. */
  readonly accepted: readonly PlacedFault[];
}

/** Makes items of rows; looks at every one, and throws for none. */
export function checkItems(rows: readonly SourceItem[], rules: RowRules): CheckedItems {
  const items: Question[] = [];
  const faults: PlacedFault[] = [];
  const accepted: PlacedFault[] = [];
  const placeOfId = new Map<string, string>();
  const isAccepted = (kind: FaultKind): boolean => rules.accepts.some((one) => one === kind);
  for (const row of rows) {
    const { place } = row;
    const read = 'problem' in row ? unreadable(row.problem) : itemOf(row.value, rules);
    const found: ItemFault[] = [...read.faults];
    if (read.item !== null) {
      found.push(...equalOptions(read.item.options ?? {}));
      const first = placeOfId.get(read.item.id);
      if (first === undefined) placeOfId.set(read.item.id, place);
      else if (read.hasOwnId) found.push({ kind: 'doubledId', reason: `id ${JSON.stringify(read.item.id)} stands on ${first} already` });
      else found.push({ kind: 'repeatedItem', reason: `the whole row stands on ${first} already` });
    }
    const placed = found.map((fault) => ({ place, ...fault }));
    if (read.item === null || found.some(({ kind }) => !isAccepted(kind))) faults.push(...placed);
    else {
      accepted.push(...placed);
      items.push(
        found.some(({ kind }) => kind === 'repeatedItem') ? { ...read.item, id: freeId(read.item.id, placeOfId, place) } : read.item,
      );
    }
  }
  return { items, faults, accepted };
}

interface ReadItem {
  readonly item: Question | null;
  readonly hasOwnId: boolean;
  readonly faults: readonly ItemFault[];
}

function unreadable(reason: string): ReadItem {
  return { item: null, hasOwnId: false, faults: [{ kind: 'unreadable', reason }] };
}

function itemOf(value: unknown, { task, columns, prompt }: RowRules): ReadItem {
  const mapped = columns === null ? { fields: value, faults: [] } : mapRow(value, columns);
  const hasOwnId = columns === null || columns.id !== undefined;
  // An option without text is still an option; whether it may be one is for the rules to say.
  if (mapped.faults.some(({ kind }) => kind !== 'emptyOption')) return { item: null, hasOwnId, faults: mapped.faults };
  const parsed = Question.safeParse(hasOwnId ? mapped.fields : { ...(mapped.fields as object), id: task }); // mapRow gives an object
  if (!parsed.success) return { item: null, hasOwnId, faults: parsed.error.issues.map(faultOf) };
  const item = hasOwnId ? parsed.data : { ...parsed.data, id: contentId(task, parsed.data) };
  return { item: withPrompt(item, prompt), hasOwnId, faults: columns === null ? blankOptions(item) : mapped.faults };
}

/** A prompt is kept with an item only where it differs from what is asked anyway. */
function withPrompt(item: Question, prompt: string | undefined): Question {
  const usual = item.options === null ? defaultPrompts.open : defaultPrompts.choice;
  return prompt === undefined || prompt === usual || item.promptTemplate !== undefined ? item : { ...item, promptTemplate: prompt };
}

function blankOptions({ options }: Question): ItemFault[] {
  const blank = Object.keys(options ?? {}).filter((letter) => options?.[letter]?.trim() === '');
  return blank.length === 0 ? [] : [{ kind: 'emptyOption', reason: `options: ${blank.join(' and ')} without text` }];
}

const kindOfField: Readonly<Record<string, FaultKind>> = {
  question: 'noQuestion',
  answer: 'answerOutside',
  answer_text: 'noAnswer',
  options: 'fewOptions',
};

function faultOf(issue: z.core.$ZodIssue): ItemFault {
  const [field = 'row', ...inner] = issue.path.map(String);
  if (issue.code === 'invalid_key' || (field === 'options' && issue.code === 'invalid_element'))
    return { kind: 'malformed', reason: `options: ${JSON.stringify(inner.join('.'))}: keys are single capital letters` };
  if (field === 'answer' && issue.message === 'there is none') return { kind: 'noAnswer', reason: 'answer: there is none' };
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  const reason = `${[field, ...inner].join('.')}: ${isMissing ? 'is missing' : issue.message}`;
  return { kind: inner.length === 0 ? (kindOfField[field] ?? 'malformed') : 'malformed', reason };
}

/** An id for a row that repeats another: its id with the least number from 2 on that is free. */
function freeId(id: string, placeOfId: Map<string, string>, place: string): string {
  let number = 2;
  while (placeOfId.has(`${id}-${number}`)) number += 1;
  placeOfId.set(`${id}-${number}`, place);
  return `${id}-${number}`;
}
