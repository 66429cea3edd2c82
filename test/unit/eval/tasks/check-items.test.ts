import { describe, expect, it } from 'vitest';
import { type CheckedItems, checkItems, type RowRules } from '../../../../src/eval/tasks/check-items.ts';
import type { ColumnMapping } from '../../../../src/eval/tasks/task-manifest.ts';

const columns: ColumnMapping = { question: 'q', options: ['a', 'b', 'c'], answer: { column: 'gold', as: 'index' } };
const good = { q: 'Which?', a: 'Rest', b: 'Surgery', c: 'Waiting', gold: 2 };
const checked = (rows: readonly unknown[], rules: Partial<RowRules> = {}): CheckedItems =>
  checkItems(
    rows.map((value, index) => ({ place: `row ${index + 1}`, value })),
    { task: 't', columns, accepts: [], ...rules },
  );
const reasonsOf = ({ faults }: CheckedItems): string[] => faults.map(({ kind, reason }) => `${kind}: ${reason}`);
const byLetter = (options: unknown, answer: unknown): CheckedItems =>
  checked([{ q: 'Which?', o: options, gold: answer }], {
    columns: { question: 'q', options: 'o', answer: { column: 'gold', as: 'letter' } },
  });

describe('checkItems: a mapped row', () => {
  it.each<[string, object, string]>([
    ['no question', { q: ' \n' }, 'noQuestion: question: is blank'],
    ['a question that is no text', { q: { text: 'Which?' } }, 'noQuestion: question: is blank'],
    ['no gold answer', { gold: null }, 'noAnswer: answer: there is none'],
    ['a blank gold answer', { gold: ' ' }, 'noAnswer: answer: there is none'],
    ['a hidden gold answer', { gold: -1 }, 'answerOutside: answer: "-1" is none of the options A, B, C'],
    ['an index beyond the options', { gold: 3 }, 'answerOutside: answer: "3" is none of the options A, B, C'],
    ['an index that is no whole number', { gold: 0.5 }, 'answerOutside: answer: "0.5" is none of the options A, B, C'],
    ['a blank option', { b: ' ' }, 'emptyOption: options: B without text'],
    ['equal options', { b: 'waiting.' }, 'equalOptions: options: B and C are equal'],
  ])('reports %s', (_name, change, reason) => {
    const found = checked([{ ...good, ...change }]);
    expect(found.items).toEqual([]);
    expect(reasonsOf(found)).toEqual([reason]);
    expect(found.faults[0]?.place).toBe('row 1');
  });

  it('reports every fault of a row, and of all rows', () => {
    expect(reasonsOf(checked([{}, 'text', { ...good, q: '', gold: null }]))).toEqual([
      'noQuestion: question: is blank',
      'fewOptions: options: there are 0, and two are the least',
      'noAnswer: answer: there is none',
      'malformed: row: not an object',
      'noQuestion: question: is blank',
      'noAnswer: answer: there is none',
    ]);
  });

  it('takes trailing blanks for no options, so that rows may have fewer', () => {
    const [item] = checked([{ ...good, c: '', gold: 1 }]).items;
    expect(item).toMatchObject({ options: { A: 'Rest', B: 'Surgery' }, answer: 'B', answer_text: 'Surgery' });
  });

  it('refuses letters outside the options', () => {
    expect(reasonsOf(byLetter({ A: 'x', B: 'y' }, 'C'))).toEqual(['answerOutside: answer: "C" is none of the options A, B']);
    expect(reasonsOf(byLetter({ A: 'x', B: 'y' }, 'b'))).toEqual(['answerOutside: answer: "b" is none of the options A, B']);
    expect(reasonsOf(byLetter({ 1: 'x', 2: 'y' }, '1'))).toEqual(['malformed: options: "1", "2": keys are single capital letters']);
    expect(reasonsOf(byLetter(['x'], 'A'))).toEqual(['fewOptions: options: there are 1, and two are the least']);
  });

  it('keeps an option without text where that is accepted, as the letters after it would shift', () => {
    const kept = checked([{ ...good, b: ' ' }], { accepts: ['emptyOption'] });
    expect(kept.items).toMatchObject([{ options: { A: 'Rest', B: '', C: 'Waiting' }, answer: 'C' }]);
    expect(kept.accepted.map(({ reason }) => reason)).toEqual(['options: B without text']);
  });

  it('leaves out options of a struct that this row lacks', () => {
    expect(byLetter({ B: 'y', A: 'x', C: null }, 'B').items[0]?.options).toEqual({ A: 'x', B: 'y' });
  });

  it('never quotes an option, and knows no letter where the gold text is that of two', () => {
    const asText = (gold: string, a = 'yes'): CheckedItems =>
      checked([{ ...good, a, b: 'no', gold }], { columns: { ...columns, answer: { column: 'gold', as: 'text' } } });
    expect(asText('No').items[0]?.answer).toBe('B');
    expect(reasonsOf(asText('perhaps'))).toEqual(['answerOutside: answer: its text is none of the options A, B, C']);
    expect(reasonsOf(asText('no', 'no'))).toEqual(['answerOutside: answer: its text is that of A and B']);
  });

  it('makes open items of a reference answer', () => {
    const open: ColumnMapping = { question: 'q', answerText: 'ref', reasoning: 'why' };
    const found = checked(
      [
        { q: 'Why?', ref: 'Because.', why: 'Hm.' },
        { q: 'How?', ref: '', why: '' },
      ],
      { columns: open },
    );
    expect(found.items).toMatchObject([{ question: 'Why?', options: null, answer: null, answer_text: 'Because.', reasoning: 'Hm.' }]);
    expect(reasonsOf(found)).toEqual(['noAnswer: answer: there is none']);
  });
});

describe('checkItems: ids', () => {
  it('hash what is asked and what is right', () => {
    const idOf = (change: object): string | undefined => checked([{ ...good, ...change }]).items[0]?.id;
    expect(idOf({})).toMatch(/^t-[0-9a-f]{16}$/);
    expect(idOf({ q: ' Which?\r\n', other: 1 })).toBe(idOf({}));
    for (const change of [{ q: 'Whom?' }, { a: 'Sleep' }, { gold: 1 }]) expect(idOf(change)).not.toBe(idOf({}));
  });

  it('refuse a row that stands twice, or keep it under a number', () => {
    const rows = [good, { ...good, q: 'Whom?' }, good, good];
    expect(reasonsOf(checked(rows))).toEqual([
      'repeatedItem: the whole row stands on row 1 already',
      'repeatedItem: the whole row stands on row 1 already',
    ]);
    const kept = checked(rows, { accepts: ['repeatedItem'] });
    const [first] = kept.items;
    expect(kept.items.map(({ id }) => id)).toEqual([first?.id, kept.items[1]?.id, `${first?.id}-2`, `${first?.id}-3`]);
    expect(kept.accepted.map(({ place }) => place)).toEqual(['row 3', 'row 4']);
  });

  it('are the row’s own where the mapping names them, and then no two are the same', () => {
    const named = { columns: { ...columns, id: 'n' }, accepts: ['repeatedItem' as const] };
    const found = checked([{ ...good, n: 7 }, { ...good, n: 8 }, { ...good, n: 7 }, good], named);
    expect(found.items.map(({ id }) => id)).toEqual(['7', '8']);
    expect(reasonsOf(found)).toEqual(['doubledId: id "7" stands on row 1 already', 'malformed: id: is blank']);
  });
});
