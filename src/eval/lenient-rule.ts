import type { Options } from './stated-letter.ts';

/**
 * A lenient rule, for contrast only: what a quick script does. The first "answer: X" or "answer is X" anywhere in thought
 * and answer, else the first capital standing alone that is an option's letter, else the first option whose text occurs.
 * The report scores texts that answer nothing under it, to show what such a rule gives away. It never grades a model and is
 * not a published scorer.
 */
export function extractLeniently(text: string, options: Options): string | null {
  const letters = Object.keys(options);
  const stated = text
    .matchAll(/\banswer(?: is|:)\s*\(?([A-Z])\b/gi)
    .map((match) => (match[1] ?? '').toUpperCase())
    .find((letter) => letters.includes(letter));
  if (stated !== undefined) return stated;
  const alone = text
    .matchAll(/\b([A-Z])\b/g)
    .map((match) => match[1] ?? '')
    .find((letter) => letters.includes(letter));
  if (alone !== undefined) return alone;
  const lower = text.toLowerCase();
  return letters.find((letter) => lower.includes((options[letter] ?? '').toLowerCase())) ?? null;
}
