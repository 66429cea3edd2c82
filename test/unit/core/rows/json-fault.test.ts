import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { faultPosition } from '../../../../src/core/rows/json-fault.ts';

describe('faultPosition', () => {
  it.each([
    ['[oops', 1],
    ['[1,]', 3],
    ['[1 2]', 3],
    ['{a: 1}', 1],
    ['["a\nb"]', 3],
    ['[1]x', 3],
    ['{"at position 9": nul}', 21],
    ['x', 0],
  ])('finds the first wrong character of %j at %i', (text, position) => expect(faultPosition(text)).toBe(position));

  it('has none in JSON, nor in any beginning of it', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(100), (text, length) => {
        expect(faultPosition(text.slice(0, length))).toBe(null);
      }),
    );
  });

  it('is where a control character was put into a text', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), fc.nat(), (texts, at) => {
        const json = JSON.stringify(texts);
        const position = at % json.length;
        expect(faultPosition(`${json.slice(0, position)}\u0001${json.slice(position)}`)).toBe(position);
      }),
    );
  });
});
