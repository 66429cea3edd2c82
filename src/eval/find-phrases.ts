import { normaliseText } from './normalise-text.ts';

/** Where a phrase stands in a text; `end` is exclusive. */
export interface PhraseMatch {
  readonly phrase: string;
  readonly start: number;
  readonly end: number;
}

/** Text as options are compared: emphasis marks off, case and white space unified, no period at the end. */
export function normalisePhrase(text: string): string {
  return normaliseText(text.replaceAll(/[*_`]/g, '')).replace(/\.$/, '');
}

/**
 * Finds phrases as whole words in a text (both normalised alike), longest first: a place taken by a longer phrase does
 * not count for a shorter one inside it. In order of the text.
 */
export function findWholePhrases(text: string, phrases: readonly string[]): PhraseMatch[] {
  const matches: PhraseMatch[] = [];
  const isTaken = new Uint8Array(text.length);
  for (const phrase of phrases.toSorted((a, b) => b.length - a.length)) {
    if (phrase === '') continue;
    for (let start = text.indexOf(phrase); start !== -1; start = text.indexOf(phrase, start + 1)) {
      const end = start + phrase.length;
      // Taken places are longer than this phrase, so an overlap covers its first or its last character.
      if (isTaken[start] === 1 || isTaken[end - 1] === 1 || isWordCharacter(text[start - 1]) || isWordCharacter(text[end])) continue;
      isTaken.fill(1, start, end);
      matches.push({ phrase, start, end });
    }
  }
  return matches.toSorted((a, b) => a.start - b.start);
}

function isWordCharacter(character: string | undefined): boolean {
  return character !== undefined && /[\p{L}\p{N}]/u.test(character);
}
