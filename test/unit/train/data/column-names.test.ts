import { describe, expect, it } from 'vitest';
import { missingColumns } from '../../../../src/train/data/column-names.ts';

const columns = { question: 'Question', thought: 'Complex_CoT', answer: 'Response' };
const lookalikes = (present: readonly string[]): (string | null)[] => missingColumns(columns, present).map(({ lookalike }) => lookalike);

describe('missingColumns', () => {
  it('finds none missing where all are there', () => expect(missingColumns(columns, ['x', 'Response', 'Question', 'Complex_CoT'])).toEqual([]));

  it.each([
    [['question', 'complex_cot', 'response'], ['question', 'complex_cot', 'response']],
    [['instruction', 'input', 'output'], ['instruction', null, 'output']],
    [['PROMPT', 'Chain-of-Thought', 'Final Answer'], ['PROMPT', 'Chain-of-Thought', 'Final Answer']],
    [['query', 'rationale', 'answer', 'Response '], ['query', 'rationale', 'Response ']],
    [['a', 'b'], [null, null, null]],
  ])('of %j takes %j for question, thought and answer', (present, expected) => expect(lookalikes(present)).toEqual(expected));

  it('never proposes a column that another role has already', () => {
    expect(missingColumns({ question: 'prompt', thought: 'cot', answer: 'input' }, ['input', 'cot'])).toEqual([
      { role: 'question', column: 'prompt', lookalike: null },
    ]);
  });
});
