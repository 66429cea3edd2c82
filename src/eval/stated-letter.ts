import { normalisePhrase } from './find-phrases.ts';

/** Options by letter. */
export type Options = Readonly<Record<string, string>>;

/** A letter; `several` where the text names more than one and so settles on none; null where it names none. */
export type LetterClaim = (string & {}) | 'several' | null;

// What may stand between the colon and the letter: white space, emphasis, quotes, an opening bracket, TeX.
const openingMarks = String.raw`(?:[\s*_"'\x60$([{]|\\(?:text|textbf|mathrm|mathbf)\{)*`;
const statement = new RegExp(String.raw`(?:\banswer\b[*_"'\x60\s]*[:：]|\\boxed\{|<answer>)${openingMarks}`, 'gi');
// Bounds the work on a text without line ends; longer than any option.
const longestClaimCharacters = 2000;
const closingMarks = /^[*_"'`$)\]}]+/;
const anotherLetter = /^\s*(?:(?:,|;|\/|&|\+|or\b|and\b)\s*)+[*_("'[]*([A-Z])(?![A-Za-z0-9])/;
const letterAfterText = /^[\s*_)"']*(?:,|;|\/|&|or|and)\s*[*_("'[]*([a-z])(?:[).:,]|\s*$)/;
const onlyPunctuation = /^[\s.,:;!*_"'`$)\]}]*$/;
// "B. Text", "B) text", "B: text", "B, since", "B - text", "B (text)"; not "A patient" and not "B-cell".
const endOfLetter = /^(?:\.\s+(?![a-z])|[,:;!)](?:\s|[*_])|\.[*_]|\s+[–—-]+\s|\s+\()/;

/** The letter of the last `Answer: X`, `\boxed{X}` or `<answer>X</answer>`. See `extractAnswer` for what counts as X. */
export function findStatedLetter(text: string, options: Options): LetterClaim {
  for (const match of [...text.matchAll(statement)].toReversed()) {
    const start = match.index + match[0].length;
    const claim = readClaim(text.slice(start, start + longestClaimCharacters), options);
    if (claim !== null) return claim;
  }
  return null;
}

function readClaim(rest: string, options: Options): LetterClaim {
  const letter = rest.charAt(0);
  if (!Object.hasOwn(options, letter) || /^.[\p{L}\p{N}]/u.test(rest)) return null;
  const line = rest.slice(1).split(/\n|<\/answer>/i, 1)[0] ?? '';
  const after = line.replace(closingMarks, '');
  const tail = normalisePhrase(after.replace(/^[\s.,:;()\]*_–—-]+/, ''));
  const ownText = normalisePhrase(options[letter] ?? '');
  const beyondOwnText = tail.slice(ownText.length);
  if (ownText !== '' && tail.startsWith(ownText) && !/^[\p{L}\p{N}]/u.test(beyondOwnText)) {
    return isSecondClaim(letterAfterText.exec(beyondOwnText)?.[1]?.toUpperCase(), letter, options) ? 'several' : letter;
  }
  if (isSecondClaim(anotherLetter.exec(after)?.[1], letter, options)) return 'several';
  if (onlyPunctuation.test(after)) return letter;
  // "Answer: E. coli" names an organism, not option E.
  const phrase = normalisePhrase(letter + line);
  if (Object.values(options).some((option) => option.length > 1 && phrase.startsWith(normalisePhrase(option)))) return null;
  const isClosedByMark = after.length < line.length && /^\s/.test(after);
  return isClosedByMark || endOfLetter.test(after) ? letter : null;
}

function isSecondClaim(second: string | undefined, first: string, options: Options): boolean {
  return second !== undefined && second !== first && Object.hasOwn(options, second);
}
