import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { extractAnswer } from '../../../src/eval/extract-answer.ts';

const Case = z.strictObject({
  name: z.string(),
  answer: z.string(),
  options: z.record(z.string(), z.string()),
  letter: z.string().nullable(),
  rung: z.enum(['stated', 'letter-line', 'option-text', 'no_answer']),
});
const cases = readFileSync(join(import.meta.dirname, 'extract-answer.cases.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => Case.parse(JSON.parse(line)));

const options = { A: 'Amlodipine', B: 'Lisinopril', C: 'Metoprolol', D: 'Hydrochlorothiazide' };

describe('extractAnswer', () => {
  it.each(cases)('$name', ({ answer, options: offered, letter, rung }) => {
    expect(extractAnswer(answer, offered)).toEqual({ letter, rung });
  });

  it('finds nothing in a text without a letter or an option', () => {
    const word = fc.constantFrom(
      'the',
      'answer:',
      'answer',
      'is',
      '\\boxed{',
      '}',
      '<answer>',
      '</answer>',
      '**',
      '\n',
      '(',
      ')',
      '.',
      'x',
      'not',
      'lisino',
      'pril',
      '20%',
      'ß',
      '答案',
      'Answer:',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(word, { maxLength: 40 }).map((words) => words.join(' ')),
          fc.string().map((text) => text.replaceAll(/[A-D]/g, '')),
        ),
        (text) => {
          expect(extractAnswer(text, options)).toEqual({ letter: null, rung: 'no_answer' });
        },
      ),
    );
  });

  it('only ever names an option that was offered', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.constantFrom('Answer: ', 'A', 'B', 'E', 'J', '\n', '**', '(', ')', 'Lisinopril', ' or ', '\\boxed{', '}'),
            fc.string({ maxLength: 5 }),
          ),
          { maxLength: 30 },
        ),
        (parts) => {
          const { letter, rung } = extractAnswer(parts.join(''), options);
          expect(letter === null).toBe(rung === 'no_answer');
          if (letter !== null) expect(Object.keys(options)).toContain(letter);
        },
      ),
    );
  });

  it('reads a stated letter whatever stands before it', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom('A', 'B', 'C', 'D'), (before, letter) => {
        expect(extractAnswer(`${before}\n\nAnswer: ${letter}`, options)).toEqual({ letter, rung: 'stated' });
      }),
    );
  });

  it('takes time in proportion to the text', () => {
    const started = performance.now();
    extractAnswer('Answer: ('.repeat(20_000), options);
    extractAnswer('*_ '.repeat(100_000), options);
    extractAnswer(`not ${'a '.repeat(100_000)}lisinopril`, options);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
