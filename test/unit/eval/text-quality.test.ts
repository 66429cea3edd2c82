import { describe, expect, it } from 'vitest';
import { countBullets, countParagraphs, repetitionRate, wordsOf } from '../../../src/eval/text-quality.ts';

describe('repetitionRate', () => {
  it('is 0 for a text without repetition and for a short one', () => {
    expect(repetitionRate(wordsOf('one two three four five six seven'))).toBe(0);
    expect(repetitionRate(wordsOf('the the the the'))).toBe(0);
  });

  it('counts 4-grams that have occurred before, case aside', () => {
    // 7 4-grams: abcd bcde cdea deab eabc abcd bcde, of which two repeat
    expect(repetitionRate(wordsOf('a b c d e A B C D E'))).toBeCloseTo(2 / 7, 12);
    expect(repetitionRate(wordsOf('the '.repeat(100)))).toBeCloseTo(96 / 97, 12);
  });
});

describe('countBullets and countParagraphs', () => {
  it('count marked lines and blocks between blank lines', () => {
    const text = 'Intro.\n\n- one\n* two\n1. three\n2) four\n• five\n\nThe end - not a bullet.\n**bold**\n';
    expect(countBullets(text)).toBe(5);
    expect(countParagraphs(text)).toBe(3);
    expect(countParagraphs(' \n\n ')).toBe(0);
  });
});
