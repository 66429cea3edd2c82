import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normaliseQuestion } from '../../../../src/train/data/normalise-question.ts';

describe('normaliseQuestion', () => {
  it.each([
    ['What is  a Q-tip\ttest?', 'what is a q tip test'],
    ['“Ｆｅｖｅｒ”', 'fever'],
    ['ﬁbrosis\u00a0…', 'fibrosis'],
  ])('folds %j to %j', (text, folded) => expect(normaliseQuestion(text)).toBe(folded));

  it.each([
    ['Is pH < 7 acidic?', 'Is pH > 7 acidic?'],
    ['K+ or K?', 'K or K?'],
    ['1.5 mg', '15 mg'],
    ['???', '!!!'],
  ])('keeps %j and %j apart', (a, b) => expect(normaliseQuestion(a)).not.toBe(normaliseQuestion(b)));

  it('changes nothing the second time', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => normaliseQuestion(normaliseQuestion(text)) === normaliseQuestion(text)));
  });
});
