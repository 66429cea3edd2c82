import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteForShell } from '../../../../src/train/launchers/shell-quote.ts';

/** What a real shell makes of a line: its words, each ended by a NUL. */
function wordsOf(line: string): string[] {
  const out = execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  return out.split('\0').slice(0, -1);
}

const words = fc.array(
  fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom("'", '$HOME', '`id`', '*', '\\', '\n', ' ', '!', '~')),
  {
    minLength: 1,
  },
);

describe('quoteForShell', () => {
  it('gives a line from which a real shell gets exactly these words', () => {
    fc.assert(
      fc.property(words, (words) => {
        fc.pre(words.every((word) => !word.includes('\0') && word.isWellFormed()));
        expect(wordsOf(quoteForShell(words))).toEqual(words);
      }),
      { numRuns: 150 },
    );
  });

  it('refuses a NUL, which would end the line', () => expect(() => quoteForShell(['a\0b'])).toThrow(TypeError));
});
