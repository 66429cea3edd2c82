import { describe, expect, it } from 'vitest';
import { AnswerLogprobs } from '../../../../src/engine/llama/answer-logprobs.ts';

/** Pushes tokens by their texts; a text of several tokens is given as a list. */
function push(logprobs: AnswerLogprobs, ...texts: (string | string[])[]): void {
  for (const text of texts) {
    const parts = typeof text === 'string' ? [text] : text;
    logprobs.push(
      parts.join(''),
      parts.map((part) => ({ id: 0, text: part, logprob: -1, top: [] })),
    );
  }
}

const taken = (logprobs: AnswerLogprobs, answer: string): string[] => logprobs.take(answer).map(({ text }) => text);

describe('AnswerLogprobs', () => {
  it('gives an answer’s tokens as they come', () => {
    const logprobs = new AnswerLogprobs('</think>');
    push(logprobs, 'It');
    expect(taken(logprobs, 'It')).toEqual(['It']);
    push(logprobs, ' is');
    expect(taken(logprobs, ' is')).toEqual([' is']);
  });

  it('leaves out a closing tag and the white space behind it, in tokens of their own or in one with the answer', () => {
    const apart = new AnswerLogprobs('</think>');
    push(apart, '</think>', '\n\n', 'B', '.');
    expect(taken(apart, 'B.')).toEqual(['B', '.']);
    const together = new AnswerLogprobs('</think>');
    push(together, 'e.</think>\n\nB');
    expect(taken(together, 'B')).toEqual(['e.</think>\n\nB']);
    const letters = new AnswerLogprobs('</think>');
    push(letters, 'the', '</think>', 't');
    expect(taken(letters, 't')).toEqual(['t']);
  });

  it('forgets what turned out to be a thought', () => {
    const logprobs = new AnswerLogprobs('</think>');
    push(logprobs, '<think>');
    logprobs.clear();
    push(logprobs, '</think>', '\n', 'B');
    expect(taken(logprobs, 'B')).toEqual(['B']);
  });

  it('keeps white space that belongs to the answer', () => {
    const logprobs = new AnswerLogprobs('</think>');
    push(logprobs, '\n', ' B');
    expect(taken(logprobs, '\n B')).toEqual(['\n', ' B']);
  });

  it('keeps tokens back with their text, and gives one that lies across two pieces with the first', () => {
    const logprobs = new AnswerLogprobs('</think>');
    push(logprobs, 'foo', ' ba');
    expect(taken(logprobs, 'foo ')).toEqual(['foo', ' ba']);
    push(logprobs, 'z');
    expect(taken(logprobs, 'baz')).toEqual(['z']);
    expect(taken(logprobs, '')).toEqual([]);
  });

  it('gives all tokens of a character with it', () => {
    const logprobs = new AnswerLogprobs('</think>');
    push(logprobs, ['\uFFFD', '\uFFFD'], 'x');
    expect(taken(logprobs, '\uFFFD\uFFFD')).toHaveLength(2);
    expect(taken(logprobs, 'x')).toEqual(['x']);
  });

  it('leaves out tokens without text', () => {
    const logprobs = new AnswerLogprobs('</think>');
    push(logprobs, '', 'x');
    expect(taken(logprobs, 'x')).toEqual(['x']);
  });
});
