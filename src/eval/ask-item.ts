import type { Question } from '../core/schema/question.ts';

/** How an item is asked that brings no prompt of its own. */
export const defaultPrompts = {
  choice:
    '{context}\n\n{question}\n\n{options}\n\nEnd your answer with the line "Answer: X", where X is the letter of the one right option.',
  open: '{context}\n\n{question}',
} as const;

/**
 * The user message for an item: passage, stem, options and how to answer. The same for both arms and for serving.
 *
 * A paragraph of the prompt whose placeholder has no text is left out. Placeholders within the item's own texts stay as they are.
 */
export function askItem(item: Question): string {
  const prompt = item.promptTemplate ?? (item.options === null ? defaultPrompts.open : defaultPrompts.choice);
  const texts: Readonly<Record<string, string | null>> = {
    context: item.context?.trim() ?? null,
    question: item.question.trim(),
    options:
      item.options === null
        ? null
        : Object.entries(item.options)
            .map(([letter, text]) => `${letter}. ${text}`)
            .join('\n'),
  };
  return prompt
    .split('\n\n')
    .filter((paragraph) => [...paragraph.matchAll(placeholder)].every(([, name = '']) => texts[name] !== null))
    .map((paragraph) => paragraph.replaceAll(placeholder, (_match, name: string) => texts[name] ?? ''))
    .join('\n\n');
}

const placeholder = /\{(context|question|options)\}/g;
