import { describe, expect, it } from 'vitest';
import { equalOptions } from '../../../../src/eval/tasks/equal-options.ts';

const reasonOf = (...texts: string[]): string[] =>
  equalOptions(Object.fromEntries(texts.map((text, index) => [String.fromCodePoint(65 + index), text]))).map(({ reason }) => reason);

describe('equalOptions', () => {
  it('sees through white space, case of words, a full stop and Unicode forms', () => {
    expect(reasonOf('Penicillin  G', 'Aspirin', 'penicillin G.')).toEqual(['options: A and C are equal']);
    expect(reasonOf('caf\u00e9 au lait', 'cafe\u0301 au lait')).toEqual(['options: A and B are equal']);
    expect(reasonOf('5%', '5%', 'none', 'none')).toEqual(['options: A and B are equal', 'options: C and D are equal']);
  });

  it.each([
    ['Aa', 'AA', 'aa'],
    ['AaBb', 'AABB', 'aabb'],
    ['10\u00b2', '102', '10'],
    ['1.', '1', '1.0'],
    ['+', '-', '\u2212'],
  ])('keeps %s, %s and %s apart', (...texts) => expect(reasonOf(...texts)).toEqual([]));
});
