import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Question } from '../../../../src/core/schema/question.ts';
import { type ChoiceRule, chooseItems } from '../../../../src/eval/tasks/choose-items.ts';
import { fixtureItem } from '../evaluation-fixture.ts';

const itemsOf = (count: number): Question[] =>
  Array.from({ length: count }, (_value, index) =>
    fixtureItem(String(index), { subject: ['Heart', 'Lung', null][Math.min(2, index % 5)] }),
  );
const ruleOf = (limit: number | null, changes: Partial<ChoiceRule> = {}): ChoiceRule => ({
  task: 't',
  limit,
  how: 'random',
  seed: 1,
  ...changes,
});
const idsOf = (items: readonly Question[]): string[] => items.map(({ id }) => id);

describe('chooseItems', () => {
  it('gives all where the limit is none or not less', () => {
    for (const limit of [null, 5, 6]) expect(idsOf(chooseItems(itemsOf(5), ruleOf(limit)))).toEqual(['0', '1', '2', '3', '4']);
  });

  it('takes the first ones unless it is to draw', () => {
    expect(idsOf(chooseItems(itemsOf(50), ruleOf(3, { how: 'first' })))).toEqual(['0', '1', '2']);
  });

  it('draws so many, the same for the same seed, in their former order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 60 }),
        fc.nat(),
        fc.constantFrom('random', 'subject'),
        (count, limit, seed, how) => {
          const items = itemsOf(count);
          const chosen = chooseItems(items, ruleOf(limit, { seed, how }));
          expect(chosen).toHaveLength(Math.min(count, limit));
          expect(idsOf(chosen)).toEqual(idsOf(items.filter((item) => chosen.includes(item))));
          expect(chooseItems(items, ruleOf(limit, { seed, how }))).toEqual(chosen);
          expect(new Set(idsOf(chooseItems(items.toReversed(), ruleOf(limit, { seed, how }))))).toEqual(new Set(idsOf(chosen)));
        },
      ),
    );
  });

  it('draws a smaller number out of a larger one', () => {
    const items = itemsOf(60);
    const large = new Set(idsOf(chooseItems(items, ruleOf(40))));
    expect(idsOf(chooseItems(items, ruleOf(15))).every((id) => large.has(id))).toBe(true);
  });

  it('draws otherwise for another seed or task, and each item alike', () => {
    const items = itemsOf(60);
    expect(chooseItems(items, ruleOf(20, { seed: 2 }))).not.toEqual(chooseItems(items, ruleOf(20)));
    expect(chooseItems(items, ruleOf(20, { task: 'u' }))).not.toEqual(chooseItems(items, ruleOf(20)));
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 600; seed += 1)
      for (const id of idsOf(chooseItems(items, ruleOf(20, { seed })))) counts.set(id, (counts.get(id) ?? 0) + 1);
    // 200 expected, standard deviation 11.5.
    for (const id of idsOf(items)) expect(Math.abs((counts.get(id) ?? 0) - 200), id).toBeLessThan(58);
  });

  it('gives each subject its share, within one', () => {
    const items = itemsOf(60);
    const chosen = chooseItems(items, ruleOf(17, { how: 'subject' }));
    for (const [subject, members] of Map.groupBy(items, (item) => item.subject))
      expect(Math.abs(chosen.filter((item) => item.subject === subject).length - (17 * members.length) / 60)).toBeLessThan(1);
  });
});
