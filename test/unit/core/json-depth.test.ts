import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isJsonTooDeep, maxJsonDepth } from '../../../src/core/json-depth.ts';

function nested(levels: number, open = '[', close = ']'): string {
  return open.repeat(levels) + close.repeat(levels);
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('isJsonTooDeep', () => {
  it('tells the last depth that is taken from the next', () => {
    expect(isJsonTooDeep(nested(maxJsonDepth))).toBe(false);
    expect(isJsonTooDeep(nested(maxJsonDepth + 1))).toBe(true);
    expect(isJsonTooDeep(`{"a":${nested(maxJsonDepth - 1)},"b":${nested(maxJsonDepth - 1)}}`)).toBe(false);
    expect(isJsonTooDeep(`{"a":${nested(maxJsonDepth)}}`)).toBe(true);
  });

  it('is not misled by brackets, quotes and backslashes in texts', () => {
    for (const text of ['['.repeat(1000), `"${'['.repeat(1000)}`, '\\"'.repeat(500) + '{'.repeat(1000), '\\'])
      expect(isJsonTooDeep(JSON.stringify({ [text]: text, x: [text] }))).toBe(false);
    for (const text of ['\\', '\\\\', '"', ']'.repeat(1000)])
      expect(isJsonTooDeep(`[${JSON.stringify(text)},${nested(maxJsonDepth)}]`)).toBe(true);
  });

  it('agrees with the parsed value, whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.integer({ min: 118, max: 130 }), (value, levels) => {
        const json = '['.repeat(levels) + JSON.stringify(value) + ']'.repeat(levels);
        expect(isJsonTooDeep(json)).toBe(levels + depthOf(value) > maxJsonDepth);
      }),
    );
  });
});
