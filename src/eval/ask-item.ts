import type { Question } from '../core/schema/question.ts';

/** The user message for an item: passage, stem, options and how to answer. The same for both arms and for serving. */
export function askItem(item: Question): string {
  const parts: string[] = [];
  if (item.context !== null) parts.push(item.context.trim());
  parts.push(item.question.trim());
  if (item.options !== null) {
    parts.push(
      Object.entries(item.options)
        .map(([letter, text]) => `${letter}. ${text}`)
        .join('\n'),
      'End your answer with the line "Answer: X", where X is the letter of the one right option.',
    );
  }
  return parts.join('\n\n');
}
