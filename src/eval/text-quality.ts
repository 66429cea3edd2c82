/** Words of a text, lower-cased, split at white space. */
export function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** Share of the word 4-grams that have occurred before in the text: 0 for no repetition, near 1 for a loop. 0 for fewer than 5 words. */
export function repetitionRate(words: readonly string[], gramLengthWords = 4): number {
  const grams = words.length - gramLengthWords + 1;
  if (grams < 2) return 0;
  const seen = new Set<string>();
  for (let start = 0; start < grams; start += 1) seen.add(words.slice(start, start + gramLengthWords).join(' '));
  return 1 - seen.size / grams;
}

/** Lines that open with a bullet (-, *, +, •) or a number ("1." or "1)"). */
export function countBullets(text: string): number {
  return text.split('\n').filter((line) => /^\s*(?:[-*+•]|\d{1,3}[.)])\s+\S/.test(line)).length;
}

/** Blocks of text between blank lines. */
export function countParagraphs(text: string): number {
  return text.split(/\n\s*\n/).filter((block) => block.trim() !== '').length;
}
