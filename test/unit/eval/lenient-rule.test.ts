import { describe, expect, it } from 'vitest';
import { extractLeniently } from '../../../src/eval/lenient-rule.ts';

const options = { A: 'Rest in bed', B: 'Watchful waiting' };

describe('extractLeniently', () => {
  it('gives away what our rule does not', () => {
    expect(extractLeniently('I cannot answer. A doctor should be asked.', options)).toBe('A');
    expect(extractLeniently('The answer is B only if she coughs. Answer: A', options)).toBe('B');
    expect(extractLeniently('never watchful waiting', options)).toBe('B');
    expect(extractLeniently('the the the', options)).toBeNull();
  });
});
