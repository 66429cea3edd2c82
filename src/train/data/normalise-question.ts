/**
 * A question as duplicates are told by: NFKC, lower case, white space and punctuation folded to single spaces. Signs such as
 * `<` and `+` stay, since they change what is asked. Text without a letter, digit or sign is left as it is.
 */
export function normaliseQuestion(text: string): string {
  const folded = text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/[\s\p{P}\p{Z}\p{C}]+/gu, ' ')
    .trim();
  return folded === '' ? text.trim() : folded;
}
