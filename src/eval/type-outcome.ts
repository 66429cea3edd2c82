import type { Extraction } from './extract-answer.ts';
import type { Sample } from './schema/sample.ts';
import { repetitionRate, wordsOf } from './text-quality.ts';

/** What came of a sample. Only `answered` can be right; the others count as wrong and stay in the denominator. */
export const outcomes = ['answered', 'no_answer', 'truncated', 'loop', 'empty'] as const;
export type Outcome = (typeof outcomes)[number];

// Looked at from the end, since a loop never recovers: short windows see a loop that has just begun, long ones a loop of paragraphs.
const loopWindowsWords = [40, 120, 400];
const loopRate = 0.5;

/**
 * Types a sample. `extraction` is null for an open question, where any text is an answer.
 *
 * In this order: a letter was found: `answered`; thought or answer ends in a loop: `loop`; the tokens ran out, also after a
 * forced close: `truncated`; no answer text: `empty`; else `no_answer`.
 */
export function typeOutcome(sample: Pick<Sample, 'thought' | 'answer' | 'finishReason'>, extraction: Extraction | null): Outcome {
  const hasAnswer = extraction === null ? sample.answer.trim() !== '' && !isLooping(sample.answer) : extraction.letter !== null;
  if (hasAnswer) return 'answered';
  if (isLooping(sample.answer) || isLooping(sample.thought)) return 'loop';
  if (sample.finishReason === 'length') return 'truncated';
  return sample.answer.trim() === '' ? 'empty' : 'no_answer';
}

/**
 * Whether a text ends in a loop: at least half of the word 4-grams in its last 40, 120 or 400 words repeat one that stands
 * earlier in that window. A window that the text does not fill is not looked at, so shorter texts never loop.
 */
export function isLooping(text: string): boolean {
  const words = wordsOf(text);
  return loopWindowsWords.some((window) => words.length >= window && repetitionRate(words.slice(-window)) >= loopRate);
}
