import { describe, expect, it } from 'vitest';
import { stemWord } from '../../../src/eval/porter-stemmer.ts';

describe('stemWord', () => {
  // The examples of Porter's paper, step by step.
  it.each(
    Object.entries({
      caresses: 'caress',
      ponies: 'poni',
      ties: 'ti',
      cats: 'cat',
      feed: 'feed',
      agreed: 'agre',
      plastered: 'plaster',
      bled: 'bled',
      motoring: 'motor',
      sing: 'sing',
      conflated: 'conflat',
      troubled: 'troubl',
      sized: 'size',
      hopping: 'hop',
      tanned: 'tan',
      falling: 'fall',
      hissing: 'hiss',
      fizzed: 'fizz',
      failing: 'fail',
      filing: 'file',
      happy: 'happi',
      sky: 'sky',
      relational: 'relat',
      conditional: 'condit',
      rational: 'ration',
      valenci: 'valenc',
      digitizer: 'digit',
      radicalli: 'radic',
      differentli: 'differ',
      vietnamization: 'vietnam',
      operator: 'oper',
      decisiveness: 'decis',
      hopefulness: 'hope',
      formaliti: 'formal',
      sensibiliti: 'sensibl',
      triplicate: 'triplic',
      formative: 'form',
      formalize: 'formal',
      electrical: 'electr',
      hopeful: 'hope',
      goodness: 'good',
      revival: 'reviv',
      allowance: 'allow',
      inference: 'infer',
      airliner: 'airlin',
      adjustable: 'adjust',
      defensible: 'defens',
      irritant: 'irrit',
      replacement: 'replac',
      adjustment: 'adjust',
      dependent: 'depend',
      adoption: 'adopt',
      communism: 'commun',
      activate: 'activ',
      effective: 'effect',
      bowdlerize: 'bowdler',
      probate: 'probat',
      rate: 'rate',
      cease: 'ceas',
      controll: 'control',
      roll: 'roll',
      generalizations: 'gener',
      oscillators: 'oscil',
    }),
  )('makes %s %s', (word, stem) => {
    expect(stemWord(word)).toBe(stem);
  });

  it('leaves numbers, short words and other scripts alone', () => {
    for (const word of ['b12', 'is', '2022', 'ödeme', '']) expect(stemWord(word)).toBe(word);
  });
});
