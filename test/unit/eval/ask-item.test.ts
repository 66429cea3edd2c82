import { describe, expect, it } from 'vitest';
import { Question } from '../../../src/core/schema/question.ts';
import { askItem } from '../../../src/eval/ask-item.ts';

describe('askItem', () => {
  it('asks a multiple-choice item with its options in order and how to answer', () => {
    const item = Question.parse({ id: '1', question: ' Which one?\n', options: { A: 'Rest', B: 'Surgery' }, answer: 'B' });
    expect(askItem(item)).toBe(
      'Which one?\n\nA. Rest\nB. Surgery\n\nEnd your answer with the line "Answer: X", where X is the letter of the one right option.',
    );
  });

  it('puts the passage before the question', () => {
    const item = Question.parse({ id: '1', question: 'Does it help?', context: '\nA trial found nothing.\n', answer_text: 'No.' });
    expect(askItem(item)).toBe('A trial found nothing.\n\nDoes it help?');
  });

  it('never tells the answer, nor anything else that the model is judged by', () => {
    const secrets = {
      answer_text: 'SECRET-text',
      reasoning: 'SECRET-thought',
      must_have: ['SECRET-must'],
      nice_to_have: ['SECRET-nice'],
      subject: 'SECRET-subject',
      explanation: 'SECRET-explanation',
      basis: 'SECRET-basis',
    };
    const item = Question.parse({ id: 'SECRET-id', question: 'Which one?', options: { A: 'x', B: 'y' }, answer: 'B', ...secrets });
    expect(askItem(item)).not.toContain('SECRET');
  });

  it('asks by the item’s own prompt, and leaves out paragraphs that have no text', () => {
    const promptTemplate = 'Read: {context}\n\n{question}\n\nChoose:\n{options}';
    const item = { id: '1', question: 'Which one?', options: { A: 'Rest', B: 'Surgery' }, answer: 'B', promptTemplate };
    expect(askItem(Question.parse({ ...item, context: 'A trial.' }))).toBe('Read: A trial.\n\nWhich one?\n\nChoose:\nA. Rest\nB. Surgery');
    expect(askItem(Question.parse(item))).toBe('Which one?\n\nChoose:\nA. Rest\nB. Surgery');
  });

  it('takes nothing within an item for a placeholder, nor for a sign of a replacement', () => {
    const item = Question.parse({
      id: '1',
      question: 'Is {options} $& a {context}?',
      context: '{question}',
      options: { A: '{question}', B: "$'" },
      answer: 'A',
    });
    expect(askItem(item)).toContain("{question}\n\nIs {options} $& a {context}?\n\nA. {question}\nB. $'\n\n");
  });
});
