import type { ItemFault } from './item-fault.ts';

/** Letters whose options are equal, white space, a final full stop and the case of words aside. */
export function equalOptions(options: Readonly<Record<string, string>>): ItemFault[] {
  const worded = Object.keys(options).filter((letter) => keyOf(options[letter] ?? '') !== '');
  const lettersOfKey = Map.groupBy(worded, (letter) => keyOf(options[letter] ?? ''));
  return [...lettersOfKey.values()]
    .filter((letters) => letters.length > 1)
    .map((letters) => ({ kind: 'equalOptions', reason: `options: ${letters.join(' and ')} are equal` }));
}

/** Superscripts stay apart from digits (10² and 102), and genotypes from each other (Aa, AA and aa; AaBb and AABB). */
function keyOf(option: string): string {
  const text = option
    .normalize('NFC')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replace(/(?<=\p{L})\.$/u, '');
  return /\p{L}{5}/u.test(text) ? text.toLowerCase() : text;
}
