import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseSlots, type SlotView } from '../../../../src/engine/llama/slot-choice.ts';

/** Slots by their cached tokens; a slot in use is `busy`. */
function slotsOf(...slots: (number | 'busy')[]): SlotView[] {
  return slots.map((slot) => ({ isFree: slot !== 'busy', cachedTokens: slot === 'busy' ? 50 : slot }));
}

function slotsChosen(...parameters: Parameters<typeof chooseSlots>): number[] {
  return chooseSlots(...parameters)
    .toSorted((a, b) => a.request - b.request)
    .map(({ slot }) => slot);
}

describe('chooseSlots', () => {
  it('fills the lowest slots where nothing is cached', () => {
    expect(
      slotsChosen(slotsOf(0, 0, 0, 0), [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ]),
    ).toEqual([0, 1]);
  });

  it('gives each request the slot in which its conversation lies, whichever came first', () => {
    const [template, conversation] = [33, 400];
    expect(
      slotsChosen(slotsOf(410, 90), [
        [template, template],
        [conversation, template],
      ]),
    ).toEqual([1, 0]);
  });

  it('keeps slots in use together, and fills a gap between them first', () => {
    expect(slotsChosen(slotsOf(0, 'busy', 0, 0, 0), [[0, 0, 0, 0, 0]])).toEqual([0]);
    expect(slotsChosen(slotsOf(0, 'busy', 0, 'busy', 0), [[0, 0, 0, 0, 0]])).toEqual([2]);
    expect(slotsChosen(slotsOf('busy', 'busy', 'busy', 0, 0), [[0, 0, 0, 0, 12]])).toEqual([3]);
  });

  it('makes a gap where the cached prefix saves more than the gap costs', () => {
    expect(slotsChosen(slotsOf('busy', 0, 400), [[0, 0, 300]])).toEqual([2]);
  });

  it('spares a long conversation where the request is all that runs', () => {
    expect(slotsChosen(slotsOf(2000, 0, 0), [[33, 0, 0]])).toEqual([1]);
    expect(slotsChosen(slotsOf(90, 0, 0), [[33, 0, 0]])).toEqual([0]);
  });

  it('tells how much of each prompt is there already', () => {
    expect(chooseSlots(slotsOf(40, 0), [[33, 0]])).toEqual([{ request: 0, slot: 0, prefixTokens: 33 }]);
  });

  it('chooses nothing where no slot is free', () => {
    expect(chooseSlots(slotsOf('busy', 'busy'), [[0, 0]])).toEqual([]);
  });

  it('gives every request a free slot of its own, as far as they go', () => {
    const slot = fc.record({ isFree: fc.boolean(), cachedTokens: fc.nat(500) });
    const cases = fc
      .array(slot, { minLength: 1, maxLength: 12 })
      .chain((slots) =>
        fc.tuple(
          fc.constant(slots),
          fc.array(fc.array(fc.nat(500), { minLength: slots.length, maxLength: slots.length }), { maxLength: 12 }),
        ),
      );
    fc.assert(
      fc.property(cases, ([slots, prefixes]) => {
        const choices = chooseSlots(slots, prefixes);
        const free = slots.filter(({ isFree }) => isFree).length;
        expect(choices).toHaveLength(Math.min(free, prefixes.length));
        expect(new Set(choices.map(({ slot }) => slot)).size).toBe(choices.length);
        expect(new Set(choices.map(({ request }) => request)).size).toBe(choices.length);
        for (const { request, slot, prefixTokens } of choices) {
          expect(slots[slot]?.isFree).toBe(true);
          expect(prefixTokens).toBe(prefixes[request]?.[slot]);
        }
      }),
    );
  });
});
