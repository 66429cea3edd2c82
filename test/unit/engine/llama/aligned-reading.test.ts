import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignReadings } from '../../../../src/engine/llama/aligned-reading.ts';
import type { SlotChoice } from '../../../../src/engine/llama/slot-choice.ts';

const passTokens = 8;

/** Choices in the order of requests, slot by slot. */
function inOrder(prefixTokens: readonly number[]): SlotChoice[] {
  return prefixTokens.map((prefix, place) => ({ request: place, slot: place, prefixTokens: prefix }));
}

/** The same prefix everywhere. */
const alike = (count: number, prefix: number): number[][] =>
  Array.from({ length: count }, () => Array.from({ length: count }, () => prefix));

function readingsOf(choices: readonly SlotChoice[], lengths: readonly number[]): number[] {
  return choices.toSorted((a, b) => a.slot - b.slot).map(({ request, prefixTokens }) => (lengths[request] ?? 0) - prefixTokens);
}

describe('alignReadings', () => {
  it('puts requests in the order of their lengths, and reads a few cached tokens again to make lengths equal', () => {
    const lengths = [60, 52, 59, 53];
    const choices = alignReadings(inOrder([33, 33, 33, 33]), lengths, alike(4, 33), passTokens);
    expect(readingsOf(choices, lengths)).toEqual([20, 20, 27, 27]);
    expect(choices.toSorted((a, b) => a.slot - b.slot).map(({ request }) => request)).toEqual([1, 3, 2, 0]);
  });

  it('leaves a conversation in its slot where reading it again would cost more than passes', () => {
    const choices = inOrder([400, 33]);
    const prefixes = [
      [400, 33],
      [33, 33],
    ];
    expect(alignReadings(choices, [420, 60], prefixes, passTokens)).toBe(choices);
  });

  it('leaves a request alone, and lengths that are equal as they are', () => {
    const one = inOrder([33]);
    expect(alignReadings(one, [60], alike(1, 33), passTokens)).toBe(one);
    const equal = inOrder([33, 33]);
    expect(alignReadings(equal, [60, 60], alike(2, 33), passTokens)).toBe(equal);
  });

  it('cannot lengthen what has nothing cached', () => {
    const lengths = [22, 20, 24];
    const readings = readingsOf(alignReadings(inOrder([0, 0, 0]), lengths, alike(3, 0), passTokens), lengths);
    expect(readings.toSorted((a, b) => a - b)).toEqual([20, 22, 24]);
  });

  it('keeps every request and slot, never reads less than is missing, and never costs more', () => {
    const cases = fc.integer({ min: 2, max: 12 }).chain((count) =>
      fc.record({
        lengths: fc.array(fc.integer({ min: 40, max: 90 }), { minLength: count, maxLength: count }),
        prefixes: fc.array(fc.array(fc.nat(39), { minLength: count, maxLength: count }), { minLength: count, maxLength: count }),
      }),
    );
    fc.assert(
      fc.property(cases, ({ lengths, prefixes }) => {
        const before = inOrder(prefixes.map((row, place) => row[place] ?? 0));
        const after = alignReadings(before, lengths, prefixes, passTokens);
        const all = Array.from({ length: lengths.length }, (_, place) => place);
        expect(new Set(after.map(({ request }) => request))).toEqual(new Set(all));
        expect(new Set(after.map(({ slot }) => slot))).toEqual(new Set(all));
        for (const { request, slot, prefixTokens } of after) {
          expect(prefixTokens).toBeGreaterThanOrEqual(0);
          expect(prefixTokens).toBeLessThanOrEqual(prefixes[request]?.[slot] ?? 0);
        }
        const costOf = (choices: readonly SlotChoice[]): number => {
          const readings = readingsOf(choices, lengths);
          return readings.reduce((total, tokens) => total + tokens, 0) + passTokens * new Set(readings).size;
        };
        expect(costOf(after)).toBeLessThanOrEqual(costOf(before));
      }),
    );
  });
});
