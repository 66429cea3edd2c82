import { findOptionText } from './option-text.ts';
import { findStatedLetter, type LetterClaim, type Options } from './stated-letter.ts';

/** Which step of the ladder found the letter; logged with every sample. */
export type ExtractionRung = 'stated' | 'letter-line' | 'option-text' | 'no_answer';

/** The letter that a text settles on, or null. */
export interface Extraction {
  readonly letter: string | null;
  readonly rung: ExtractionRung;
}

const noAnswer: Extraction = { letter: null, rung: 'no_answer' };

/**
 * Reads the chosen option from the answer text: what stands after the close of the thought, never the thought itself.
 *
 * (a) `stated`: the last `Answer: X`, `\boxed{X}` or `<answer>X</answer>`. X is a capital and one of the options. Bold,
 *     brackets and a period are let through, and more text after a mark that ends the letter ("B. Lisinopril", "B, since").
 *     "Answer: A patient …" is no letter. Neither is "the answer is B": "if the answer is B" and "the answer is a …" read
 *     the same. Where the last statement names several letters, there is no answer.
 * (b) `letter-line`: lines that are only a letter, if all of them name the same one.
 * (c) `option-text`: exactly one option's full text occurs, case and white space aside, and the text does not reject it;
 *     see `findOptionText`.
 * (d) `no_answer`. There is no nearest option.
 */
export function extractAnswer(answer: string, options: Options): Extraction {
  const stated = findStatedLetter(answer, options);
  if (stated !== null) return stated === 'several' ? noAnswer : { letter: stated, rung: 'stated' };
  const alone = findLetterLine(answer, options);
  if (alone !== null) return alone === 'several' ? noAnswer : { letter: alone, rung: 'letter-line' };
  const byText = findOptionText(answer, options);
  return byText === null ? noAnswer : { letter: byText, rung: 'option-text' };
}

function findLetterLine(text: string, options: Options): LetterClaim {
  const letters = new Set<string>();
  for (const line of text.split('\n')) {
    const letter = /^[\s*_"'`$#>([-]*([A-Z])[\s*_"'`$.)\]:]*$/.exec(line)?.[1];
    if (letter !== undefined && Object.hasOwn(options, letter)) letters.add(letter);
  }
  if (letters.size > 1) return 'several';
  return letters.values().next().value ?? null;
}
