import { digestOfJson } from '../core/digest.ts';
import type { Question } from '../core/schema/question.ts';

/** Content hash of an item: a sample stays with exactly the question that it was drawn for. */
export function digestOfItem(item: Question): string {
  return digestOfJson(item);
}
