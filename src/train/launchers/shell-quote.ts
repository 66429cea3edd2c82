/**
 * Words as one command line that a POSIX shell takes apart into exactly these words again: ssh and Ray accept a line, not a list.
 *
 * @throws TypeError for a word with a NUL, which no argument can hold
 */
export function quoteForShell(words: readonly string[]): string {
  if (words.some((word) => word.includes('\0'))) throw new TypeError('a word with a NUL cannot be an argument');
  return words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
}
