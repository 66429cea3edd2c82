import { describe, expect, it } from 'vitest';
import type { Agreement, Reading } from '../../../../src/train/certificate/behaviour.ts';
import { behaviourChecks, type Behaviours } from '../../../../src/train/certificate/behaviour-checks.ts';

const reading = (kl: number, logprobs = [[Math.log(0.9)]]): Reading => ({ kl, klWorst: kl, sameTop: 1, logprobs });
const agreement = (equalTokens: number): Agreement => ({ share: equalTokens / 512, equalTokens, tokens: 512, wholeAnswers: 0 });
const right: Behaviours = {
  merged: { reading: reading(0.006), agreement: agreement(200) },
  base: { reading: reading(0.005), agreement: agreement(256) },
  adapter: reading(0.006),
  hasRandomWeights: false,
  tuningKl: 0.2,
};
const failedOf = (changes: Partial<Behaviours>): string[] =>
  behaviourChecks('q8_0', { ...right, ...changes })
    .filter(({ status }) => status === 'failed')
    .map(({ id }) => id);

describe('behaviourChecks', () => {
  it('has nothing against a file that is as far from its reference as the base is', () => {
    expect(failedOf({})).toEqual([]);
  });

  it('blames a divergence beyond what the quantisation costs the base', () => {
    expect(failedOf({ merged: { reading: reading(0.016), agreement: agreement(200) } })).toEqual(['divergence/q8_0']);
    expect(failedOf({ merged: { reading: reading(Number.NaN), agreement: agreement(200) } })).toEqual(['divergence/q8_0']);
  });

  it('blames greedy answers that agree in a token or two, unless the weights are random', () => {
    const merged = { reading: reading(0.006), agreement: agreement(9) };
    expect(failedOf({ merged })).toEqual(['greedy/q8_0']);
    expect(failedOf({ merged, hasRandomWeights: true })).toEqual([]);
  });

  it('blames an adapter file that says something else than the merged file', () => {
    expect(failedOf({ adapter: reading(0.2, [[Math.log(0.5)]]) })).toEqual(['arms/q8_0']);
  });

  it('says that there is no adapter file, and where a bound cannot tell base from tuned', () => {
    const checks = behaviourChecks('q8_0', { ...right, adapter: null, tuningKl: 0.001 });
    expect(checks.map(({ status }) => status)).toEqual(['passed', 'passed', 'notRun']);
    expect(checks[0]?.detail).toContain('told by update/q8_0');
  });

  it('gives the reason for all three where nothing was measured', () => {
    const checks = behaviourChecks('q8_0', { notRun: 'The weights are wrong.' });
    expect(checks.map(({ status, detail }) => `${status}: ${detail}`)).toEqual(
      Array.from({ length: 3 }, () => 'notRun: The weights are wrong.'),
    );
  });
});
