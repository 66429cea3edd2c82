import { readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOslerError } from '../../../../src/core/errors.ts';
import { parseSplit, rowsOfSlice, splitSettings } from '../../../../src/train/data/split-slice.ts';
import { errorOf } from '../../../support/error-of.ts';

interface Case {
  readonly split: string;
  readonly rows: number;
  /** First row and the one after the last, as `datasets` 4.8.5 has them; null: it refuses. */
  readonly taken: readonly [number, number] | null;
}
const cases = readFileSync(path.join(import.meta.dirname, 'split-slice.cases.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);

/** Rows of a slice, or null where it is refused. */
function taken(split: string, rows: number): [number, number] | null {
  try {
    const { start, end } = rowsOfSlice(parseSplit(split), rows);
    return [start, end];
  } catch (error) {
    if (isOslerError(error)) return null;
    throw error;
  }
}

describe('a slice', () => {
  it(`takes the rows that datasets takes, and is refused where it refuses, in ${cases.length} cases made with it`, () => {
    expect(cases.length).toBeGreaterThan(1000);
    const wrong = cases.filter(({ split, rows, taken: wanted }) => JSON.stringify(taken(split, rows)) !== JSON.stringify(wanted));
    expect(wrong).toEqual([]);
  });

  it('lies within the split whatever its bounds', () => {
    const bound = fc.oneof(fc.constant(''), fc.integer({ min: -300, max: 300 }).map(String), fc.integer({ min: -100, max: 100 }).map((n) => `${n}%`));
    fc.assert(
      fc.property(bound, bound, fc.nat(250), (from, to, rows) => {
        const result = taken(`train[${from}:${to}]`, rows);
        if (result === null) return;
        const [start, end] = result;
        expect(start >= 0 && start <= end && end <= rows).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('cuts a split into ten parts without loss or overlap, by percent', () => {
    fc.assert(
      fc.property(fc.nat(20_000), (rows) => {
        const parts = Array.from({ length: 10 }, (_value, index) => taken(`train[${10 * index}%:${10 * (index + 1)}%]`, rows));
        expect(parts[0]?.[0]).toBe(0);
        expect(parts[9]?.[1]).toBe(rows);
        for (const [index, part] of parts.entries()) if (index > 0) expect(part?.[0]).toBe(parts[index - 1]?.[1]);
      }),
    );
  });

  it('names the forms that there are where it cannot be read', async () => {
    for (const text of ['train+test', 'train[0-500]', 'train[0:200%]', 'train[0:5](closest)']) {
      const error = await errorOf(() => parseSplit(text));
      expect(error.code).toBe('OSLER_ERR_USAGE');
      expect(error.message).toContain(`"${text}"`);
      expect(error.message).toContain('train[:10%]');
    }
  });
});

describe('splitSettings', () => {
  it.each([
    ['train', { split: 'train', offset: 0, limit: null }],
    ['train[0:500]', { split: 'train', offset: 0, limit: 500 }],
    ['train[100:250]', { split: 'train', offset: 100, limit: 150 }],
    ['test[:7]', { split: 'test', offset: 0, limit: 7 }],
    ['train[40:]', { split: 'train', offset: 40, limit: null }],
    ['train[:10%]', { split: 'train[:10%]', offset: 0, limit: null }],
    ['train[-100:]', { split: 'train[-100:]', offset: 0, limit: null }],
  ])('makes settings of %s', (text, settings) => expect(splitSettings(text)).toEqual(settings));

  it.each(['train[5:5]', 'train[9:2]', 'train[:0]'])('refuses %s, which is empty', async (text) =>
    expect((await errorOf(() => splitSettings(text))).message).toContain('is empty'),
  );
});
