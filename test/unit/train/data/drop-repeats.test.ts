import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../../src/core/digest.ts';
import { dropRepeats, type PlacedRow } from '../../../../src/train/data/drop-repeats.ts';
import { normaliseQuestion } from '../../../../src/train/data/normalise-question.ts';

const placed = (place: string, question: string, answer = 'a'): PlacedRow => ({
  place,
  row: { id: sha256(`${question} ${answer}`), question, thought: 't', answer },
});
const placesOf = (rows: readonly { place: string }[]): string[] => rows.map(({ place }) => place);

describe('dropRepeats', () => {
  const train = [placed('1', 'What is it?'), placed('2', 'Other'), placed('3', 'what is IT'), placed('4', 'What is it?', 'b')];

  it('keeps the first of each question and names those that it leaves out', () => {
    const { train: kept, repeats } = dropRepeats(train, [], true);
    expect(placesOf(kept)).toEqual(['1', '2']);
    expect(repeats).toEqual([
      { place: '3', of: '1', isSameRow: false },
      { place: '4', of: '1', isSameRow: false },
    ]);
  });

  it('tells of repeats and keeps them where they are not to be left out', () => {
    const result = dropRepeats(train, [], false);
    expect([placesOf(result.train), placesOf(result.repeats)]).toEqual([
      ['1', '2', '3', '4'],
      ['3', '4'],
    ]);
  });

  it.each([true, false])('holds out no row whose question is trained in other spelling (deduplicate %s)', (deduplicate) => {
    const { heldOut, trained } = dropRepeats(train, [placed('5', ' OTHER! '), placed('6', 'New'), placed('7', 'New')], deduplicate);
    expect(placesOf(heldOut)).toEqual(['6']);
    expect(trained).toEqual([{ place: '5', of: '2', isSameRow: false }]);
  });

  it('loses no row: each is kept or named, and no held-out question is trained', () => {
    const rows = fc.array(fc.constantFrom('a', 'A', 'a?', 'b', 'b c', 'B-C', 'd'), { maxLength: 12 });
    fc.assert(
      fc.property(rows, rows, fc.boolean(), (trainQuestions, heldOutQuestions, deduplicate) => {
        const [a, b] = [trainQuestions.map((q, i) => placed(`t${i}`, q)), heldOutQuestions.map((q, i) => placed(`h${i}`, q, 'x'))];
        const result = dropRepeats(a, b, deduplicate);
        const gone = deduplicate ? result.repeats : [];
        expect(placesOf([...result.train, ...gone]).toSorted()).toEqual(placesOf(a).toSorted());
        expect(placesOf([...result.heldOut, ...result.trained, ...result.heldOutTwice]).toSorted()).toEqual(placesOf(b).toSorted());
        const questions = new Set(result.train.map(({ row }) => normaliseQuestion(row.question)));
        expect(result.heldOut.filter(({ row }) => questions.has(normaliseQuestion(row.question)))).toEqual([]);
        if (deduplicate) expect(questions.size).toBe(result.train.length);
      }),
      { numRuns: 500 },
    );
  });
});
