import { findWholePhrases, normalisePhrase } from './find-phrases.ts';
import type { Options } from './stated-letter.ts';

// "no", "yes", "20%" stand in any prose: in a sentence they are no choice.
const shortOptionLength = 5;
const rejectedBefore =
  /\b(?:not|never|no|nor|neither|without|except|exclud\w+|rul(?:e|es|ed|ing) out|reject\w*|against|unlikely|rather than|instead of|isn't|aren't|wasn't)\s+(?:(?:a|an|the|be|been|likely|due|caused|by|to)\s+)*["'(]*$/;
const rejectedAfter =
  /^["')]*\s*(?:is|are|was|were|seems?|(?:would|can|could) be)?\s*(?:not\b|never\b|unlikely\b|wrong\b|incorrect\b|false\b|excluded\b|ruled out\b|rejected\b|contraindicated\b|isn't\b|aren't\b)/;

/**
 * The letter of the only option whose full text occurs, or null. Letters with equal text never match; an option inside
 * another option's text counts as the longer one; a rejected option and a short one within a sentence are no choice.
 */
export function findOptionText(text: string, options: Options): string | null {
  const lettersOfPhrase = new Map<string, string[]>();
  for (const [letter, option] of Object.entries(options)) {
    const phrase = normalisePhrase(option);
    if (phrase !== '') lettersOfPhrase.set(phrase, [...(lettersOfPhrase.get(phrase) ?? []), letter]);
  }
  const normalised = normalisePhrase(text);
  const found = findWholePhrases(normalised, [...lettersOfPhrase.keys()]);
  const [only, another] = new Set(found.map(({ phrase }) => phrase));
  if (only === undefined || another !== undefined) return null;
  const [letter, twin] = lettersOfPhrase.get(only) ?? [];
  if (letter === undefined || twin !== undefined) return null;
  if (only.length <= shortOptionLength && !isLineOfItsOwn(text, only)) return null;
  const isRejected = found.some(
    ({ start, end }) =>
      rejectedBefore.test(normalised.slice(Math.max(0, start - 80), start)) || rejectedAfter.test(normalised.slice(end, end + 40)),
  );
  return isRejected ? null : letter;
}

function isLineOfItsOwn(text: string, phrase: string): boolean {
  return text
    .split('\n')
    .some(
      (line) =>
        normalisePhrase(line.replaceAll(/["#>]|<\/?answer>/gi, '').replace(/^.*\banswer[*_\s]*[:：]/i, '')).replace(/[!.]$/, '') === phrase,
    );
}
