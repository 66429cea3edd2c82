/** Text for exact comparison: compatibility forms unified, lower case, white space collapsed, trimmed. */
export function normaliseText(text: string): string {
  return text.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ').trim();
}
