import { describe, expect, it } from 'vitest';
import { Question } from '../../../../src/core/schema/question.ts';
import { clusterItems } from '../../../../src/eval/statistics/item-clusters.ts';

const item = (id: string, question: string, cluster: string | null = null, context: string | null = null): Question =>
  Question.parse({ id, question, options: { A: 'yes', B: 'no' }, answer: 'A', cluster, context });

describe('clusterItems', () => {
  it('joins repeated stems, case and white space aside, and keeps others apart', () => {
    const [a, b, c] = clusterItems([item('1', 'What is gout?'), item('2', ' what  is GOUT? '), item('3', 'What is croup?')]);
    expect(a).toBe(b);
    expect(c).not.toBe(a);
  });

  it('joins named clusters, also over a repeated stem', () => {
    const clusters = clusterItems([
      item('1', 'One?', 'vignette 4'),
      item('2', 'Two?', 'vignette 4'),
      item('3', 'Two?'),
      item('4', 'Four?', 'vignette 5'),
    ]);
    expect(new Set(clusters.slice(0, 3)).size).toBe(1);
    expect(clusters[3]).not.toBe(clusters[0]);
  });

  it('keeps equal stems about different passages apart', () => {
    const [a, b] = clusterItems([item('1', 'Does it work?', null, 'Trial one.'), item('2', 'Does it work?', null, 'Trial two.')]);
    expect(a).not.toBe(b);
  });
});
