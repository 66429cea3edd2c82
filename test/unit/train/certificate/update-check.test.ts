import { describe, expect, it } from 'vitest';
import { isUpdateInDoubt } from '../../../../src/train/certificate/update-check.ts';
import { ggufChecks } from '../../../../src/train/certificate/weight-checks.ts';
import type { WeightMeasures } from '../../../../src/train/certificate/weight-measures.ts';

/** A K-quant of a large update, as it should be. */
const gguf: WeightMeasures['ggufs'][number] = {
  file: 'merged-q4_k_m.gguf',
  problem: null,
  architecture: 'llama',
  isKnownLayout: true,
  tensors: 272,
  exact: 61,
  different: [],
  missing: [],
  extra: [],
  untargeted: 62,
  untargetedDifferent: 0,
  worst: { tensor: 'w1', type: 'Q4_K', error: 0.13 },
  updateShare: 1.02,
  updateShareError: 0.01,
};

/** Statuses of the two lines, and what that of the update says. */
function judge(changes: Partial<typeof gguf>, isMadeAnew?: boolean) {
  const checks = ggufChecks('q4_k_m', { ...gguf, ...changes }, isMadeAnew);
  const [update, weights] = ['update', 'weights'].map((kind) => checks.find((check) => check.kind === kind));
  return { update: update?.status, weights: weights?.status, said: update?.detail ?? '', weightsSaid: weights?.detail ?? '' };
}

describe('isUpdateInDoubt', () => {
  it.each([
    ['a share that is seen', {}, false],
    ['a share far from 1, which a grid may have made', { updateShare: -0.14 }, true],
    ['a share near 1 that is mostly noise', { updateShare: 1.1, updateShareError: 0.4 }, true],
    ['a share beside tensors that are none of the merged model', { updateShare: 0, different: ['w1'] }, false],
    ['no update', { updateShare: null, updateShareError: null }, false],
  ])('knows %s', (_name, changes, expected) => {
    expect(isUpdateInDoubt('q4_k_m', { ...gguf, ...changes })).toBe(expected);
  });

  it('does not doubt formats that are compared to the bit', () => {
    for (const type of ['f16', 'bf16', 'q8_0'] as const) expect(isUpdateInDoubt(type, { ...gguf, updateShare: 0 })).toBe(false);
  });
});

describe('updateCheck', () => {
  it('passes a share that is seen', () => {
    expect(judge({})).toMatchObject({
      update: 'passed',
      weights: 'passed',
      said: "The file holds 102.00 % (± 1.00) of the adapter's update.",
    });
  });

  it.each([
    ['that a grid swallows', { updateShare: -0.14, updateShareError: 0.05 }],
    ['that noise covers', { updateShare: 1.1, updateShareError: 0.4 }],
  ])('passes an update %s where the file is made anew to the bit, and claims no more than that', (_name, changes) => {
    const { update, weights, said, weightsSaid } = judge(changes, true);
    expect([update, weights]).toEqual(['passed', 'passed']);
    expect(said).toContain('smaller than what q4_k_m can tell apart');
    expect(said).toContain('a file without it might show as much');
    expect(said).not.toContain('The file holds');
    expect(weightsSaid).toContain('All 272 tensors are those that llama-quantize makes of the merged model');
  });

  it.each([
    ['near 1', { updateShare: 1.1, updateShareError: 0.4 }],
    ['near 0', { updateShare: -0.1, updateShareError: 0.4 }],
  ])('fails a share %s that is mostly noise where other tensors are made anew', (_name, changes) => {
    const { update, weights, said } = judge(changes, false);
    expect([update, weights]).toEqual(['failed', 'notRun']);
    expect(said).toContain('llama-quantize makes other tensors');
    expect(said).toContain('may not be merged');
  });

  it('fails the bare base of an update that would be seen', () => {
    const { update, said } = judge({ updateShare: 0.01 }, false);
    expect(update).toBe('failed');
    expect(said).toContain('it is the bare base');
  });

  it('passes a converted file that is the merged model to the bit, whatever is seen of the update', () => {
    const { update, said } = judge({ exact: 272, updateShare: 1.4, updateShareError: 0.39 });
    expect(update).toBe('passed');
    expect(said).toContain('smaller than what q4_k_m can tell apart');
  });

  it('leaves damage to the check of the tensors where the update could not be seen anyway', () => {
    expect(judge({ updateShareError: 0.39, different: ['w1'] })).toMatchObject({ update: 'notRun', weights: 'failed' });
    expect(judge({ different: ['w1'] })).toMatchObject({ update: 'passed', weights: 'failed' });
  });
});
