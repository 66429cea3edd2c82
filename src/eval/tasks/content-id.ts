import { digestOfJson } from '../../core/digest.ts';
import type { Question } from '../../core/schema/question.ts';

/**
 * The id of an item that has none of its own: the task's name and 16 hexadecimal digits of a hash of what is asked and what is right.
 * The same row has the same id, whether it came from the Hub or a local file, wherever it stood there.
 */
export function contentId(task: string, item: Question): string {
  const { question, options, answer, answer_text: answerText, reasoning, context, subject } = item;
  return `${task}-${digestOfJson([question, options, answer, answerText, reasoning, context, subject]).slice(0, 16)}`;
}
