import { describe, expect, it } from 'vitest';
import { ggufChecks, hasWrongWeights, mergeChecks } from '../../../../src/train/certificate/weight-checks.ts';
import type { WeightMeasures } from '../../../../src/train/certificate/weight-measures.ts';

const merged: WeightMeasures['merged'] = {
  unmerged: [],
  wrong: [],
  nil: [],
  changed: [],
  maxRoundings: 1,
  untargeted: 62,
  missing: [],
  extra: [],
  relativeUpdate: 0.01,
  updateShare: 0.999,
};
const adapter: WeightMeasures['adapter'] = { targeted: 210, scale: 2, zero: [], notFinite: [], untouched: [] };
const gguf: WeightMeasures['ggufs'][number] = {
  file: 'merged-q8_0.gguf',
  problem: null,
  architecture: 'llama',
  isKnownLayout: true,
  tensors: 272,
  exact: 272,
  different: [],
  missing: [],
  extra: [],
  untargeted: 62,
  untargetedDifferent: 0,
  worst: null,
  updateShare: 0.9999,
  updateShareError: 0.001,
};
const statuses = (checks: readonly { id: string; status: string }[]): Record<string, string> =>
  Object.fromEntries(checks.map(({ id, status }) => [id, status]));

describe('mergeChecks', () => {
  const check = (changes: { merged?: Partial<typeof merged>; adapter?: Partial<typeof adapter> }) =>
    mergeChecks({ adapter: { ...adapter, ...changes.adapter }, merged: { ...merged, ...changes.merged }, ggufs: [] });

  it('passes what is right', () => {
    expect(statuses(check({}))).toEqual({ 'adapter/adapter': 'passed', 'base/merged': 'passed', 'merge/merged': 'passed' });
  });

  it('blames an adapter whose update is zero everywhere, and names one module where it is zero there alone', () => {
    const names = Array.from({ length: 210 }, (_, index) => `w${index}`);
    expect(statuses(check({ adapter: { zero: names } }))['adapter/adapter']).toBe('failed');
    const [one] = check({ adapter: { zero: ['w7'] } });
    expect(one?.status).toBe('passed');
    expect(one?.detail).toContain('w7');
  });

  it('blames an unmerged adapter by the merge, and another base by the base alone', () => {
    expect(statuses(check({ merged: { unmerged: ['w1'] } }))).toMatchObject({ 'base/merged': 'passed', 'merge/merged': 'failed' });
    expect(statuses(check({ merged: { changed: ['norm'], wrong: ['w1'] } }))).toMatchObject({
      'base/merged': 'failed',
      'merge/merged': 'notRun',
    });
  });

  it('tells of an update of which 16 bit hold little, and does not blame it', () => {
    const merge = check({ merged: { updateShare: 0.46 } })[2];
    expect(merge?.status).toBe('passed');
    expect(merge?.detail).toContain('lets 46 % of so small an update through');
    expect(check({})[2]?.detail).not.toContain('so small');
  });

  it('lets an update that rounds to nothing pass, by name', () => {
    const merge = check({ merged: { nil: ['w3'] } })[2];
    expect(merge?.status).toBe('passed');
    expect(merge?.detail).toContain('rounds to nothing (w3)');
  });
});

describe('ggufChecks', () => {
  const check = (changes: Partial<typeof gguf>) => ggufChecks('q8_0', { ...gguf, ...changes });

  it('passes what is right', () => {
    expect(new Set(Object.values(statuses(check({}))))).toEqual(new Set(['passed']));
    expect(hasWrongWeights(check({}), 'q8_0')).toBe(false);
  });

  it.each([
    [0.0001, 'not merged'],
    [2.001, 'more than once'],
    [0.7, 'another strength'],
  ])('blames a share of %d by the update alone', (updateShare, said) => {
    const checks = check({ updateShare, different: ['w1', 'w2'] });
    expect(statuses(checks)).toEqual({ 'base/q8_0': 'passed', 'update/q8_0': 'failed', 'weights/q8_0': 'notRun' });
    expect(checks[1]?.detail).toContain(said);
    expect(hasWrongWeights(checks, 'q8_0')).toBe(true);
    expect(hasWrongWeights(checks, 'f16')).toBe(false);
  });

  it('blames another base where most untouched tensors differ, and damage where one does', () => {
    expect(statuses(check({ untargetedDifferent: 60, different: ['w1'], updateShare: 7 }))).toEqual({
      'base/q8_0': 'failed',
      'update/q8_0': 'notRun',
      'weights/q8_0': 'notRun',
    });
    expect(statuses(check({ untargetedDifferent: 1, different: ['norm'], exact: 271 }))).toEqual({
      'base/q8_0': 'passed',
      'update/q8_0': 'passed',
      'weights/q8_0': 'failed',
    });
  });

  it('blames a file that cannot be read by its weights', () => {
    const checks = check({ problem: 'It was cut off.' });
    expect(statuses(checks)).toEqual({ 'base/q8_0': 'notRun', 'update/q8_0': 'notRun', 'weights/q8_0': 'failed' });
  });

  it('says that it does not know a layout', () => {
    const checks = check({ isKnownLayout: false, architecture: 'mamba', updateShare: null });
    expect(new Set(Object.values(statuses(checks)))).toEqual(new Set(['notRun']));
    expect(checks[0]?.detail).toContain('mamba');
  });
});
