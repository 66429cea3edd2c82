import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopMatcher } from '../../../src/engine/stop-matcher.ts';

const letters = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength, maxLength });

/** What is left of a text that arrives letter by letter: it ends before the stop string that is complete first. */
function expectedOf(text: string, stops: readonly string[]): { text: string; isStopped: boolean } {
  for (let length = 1; length <= text.length; length += 1) {
    const places = stops.map((stop) => text.slice(0, length).indexOf(stop)).filter((place) => place >= 0);
    if (places.length > 0) return { text: text.slice(0, Math.min(...places)), isStopped: true };
  }
  return { text, isStopped: false };
}

function run(pieces: readonly string[], stops: readonly string[]): { text: string; isStopped: boolean } {
  const matcher = new StopMatcher(stops);
  const text = pieces.map((piece) => matcher.push(piece)).join('');
  return { text: text + matcher.end(), isStopped: matcher.isStopped };
}

describe('StopMatcher', () => {
  it('cuts where indexOf finds the stop string, for one stop string and any cut', () => {
    fc.assert(
      fc.property(fc.array(letters(0, 4), { maxLength: 8 }), letters(1, 4), (pieces, stop) => {
        const text = pieces.join('');
        const place = text.indexOf(stop);
        expect(run(pieces, [stop])).toEqual({ text: place < 0 ? text : text.slice(0, place), isStopped: place >= 0 });
      }),
      { numRuns: 1000 },
    );
  });

  it('cuts at the stop string that is complete first, for several stop strings and any cut', () => {
    fc.assert(
      fc.property(fc.array(letters(0, 5), { maxLength: 8 }), fc.array(letters(1, 4), { minLength: 1, maxLength: 4 }), (pieces, stops) => {
        expect(run(pieces, stops)).toEqual(expectedOf(pieces.join(''), stops));
      }),
      { numRuns: 2000 },
    );
  });

  it('gives the same for a stop string inside another, in one piece and letter by letter', () => {
    expect(run(['xabc'], ['b', 'abc'])).toEqual({ text: 'xa', isStopped: true });
    expect(run(['x', 'a', 'b', 'c'], ['b', 'abc'])).toEqual({ text: 'xa', isStopped: true });
  });

  it('holds back only what may become a stop string', () => {
    const matcher = new StopMatcher(['\nEND', 'STOP']);
    expect(matcher.push('text ST')).toBe('text ');
    expect(matcher.push('AND\n')).toBe('STAND');
    expect(matcher.push('E')).toBe('');
    expect(matcher.isStopped).toBe(false);
    expect(matcher.push('ND more')).toBe('');
    expect(matcher.isStopped).toBe(true);
    expect(matcher.push('even more')).toBe('');
    expect(matcher.end()).toBe('');
  });

  it('passes everything on at once without stop strings, empty ones included', () => {
    for (const stops of [[], [''], ['', '']]) {
      const matcher = new StopMatcher(stops);
      expect(matcher.push('any text')).toBe('any text');
      expect(matcher.end()).toBe('');
      expect(matcher.isStopped).toBe(false);
    }
  });
});
