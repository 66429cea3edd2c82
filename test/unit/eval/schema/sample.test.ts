import { describe, expect, it } from 'vitest';
import { EvaluationRecord } from '../../../../src/eval/schema/sample.ts';
import { fixtureItem, fixtureLikelihood, fixtureSample } from '../evaluation-fixture.ts';

describe('EvaluationRecord', () => {
  const item = fixtureItem('1');

  it('reads both kinds of line back as they were written', () => {
    for (const record of [fixtureSample('base', item, 'A'), fixtureLikelihood('tuned', item, 3, 2)])
      expect(EvaluationRecord.parse(JSON.parse(JSON.stringify(record)))).toEqual(record);
  });

  it.each([
    ['a letter stored with it', { ...fixtureSample('base', item, 'A'), letter: 'A' }],
    ['no kind', { ...fixtureSample('base', item, 'A'), kind: undefined }],
    ['a third arm', { ...fixtureSample('base', item, 'A'), arm: 'other' }],
    ['a likelihood that is no number', { ...fixtureLikelihood('base', item, 3, 2), answerNll: Number.NaN }],
    ['a negative attempt', { ...fixtureSample('base', item, 'A'), attempt: -1 }],
  ])('refuses a line with %s', (_name, record) => {
    expect(EvaluationRecord.safeParse(record).success).toBe(false);
  });
});
