import { describe, expect, it } from 'vitest';
import { extractAnswer } from '../../../src/eval/extract-answer.ts';
import { isLooping, typeOutcome } from '../../../src/eval/type-outcome.ts';

const options = { A: 'Rest in bed', B: 'Watchful waiting' };
const outcomeOf = (thought: string, answer: string, finishReason: string) =>
  typeOutcome({ thought, answer, finishReason }, extractAnswer(answer, options));
const prose = Array.from({ length: 300 }, (_value, index) => `word${index * 7}`).join(' ');

describe('typeOutcome', () => {
  it.each([
    ['answered', 'I think.', 'Answer: A', 'stop'],
    ['answered', 'I think.', 'Answer: A, since', 'length'],
    ['answered', 'the '.repeat(100), 'Answer: A', 'stop'],
    ['no_answer', 'I think.', 'I cannot say.', 'stop'],
    ['truncated', prose, '', 'length'],
    ['truncated', 'I think.', 'The choice depends on', 'length'],
    ['loop', 'I think.', 'the '.repeat(100), 'stop'],
    ['loop', 'wait, let me think again about it. '.repeat(60), '', 'length'],
    ['empty', 'I think.', ' \n', 'stop'],
    ['empty', '', '', 'stop'],
  ] as const)('is %s', (expected, thought, answer, finishReason) => {
    expect(outcomeOf(thought, answer, finishReason)).toBe(expected);
  });

  it('takes any text as the answer of an open question', () => {
    expect(typeOutcome({ thought: '', answer: 'Rest.', finishReason: 'stop' }, null)).toBe('answered');
    expect(typeOutcome({ thought: '', answer: 'rest and '.repeat(60), finishReason: 'length' }, null)).toBe('loop');
    expect(typeOutcome({ thought: '', answer: '', finishReason: 'stop' }, null)).toBe('empty');
  });
});

describe('isLooping', () => {
  it('sees a loop of whole paragraphs and one that has just begun', () => {
    const paragraph = Array.from({ length: 90 }, (_value, index) => `p${index}`).join(' ');
    expect(isLooping(`${prose} ${`${paragraph} `.repeat(4)}`)).toBe(true);
    expect(isLooping(`${prose} ${'no no yes '.repeat(14)}`)).toBe(true);
  });

  it('leaves prose and short repetition alone', () => {
    expect(isLooping(prose)).toBe(false);
    expect(isLooping('the '.repeat(39))).toBe(false);
    expect(isLooping('')).toBe(false);
  });
});
