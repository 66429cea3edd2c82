import { describe, expect, it } from 'vitest';
import { differingSettings, readPlan, recipeOf } from '../../../benchmarks/train/train-plan.ts';

describe('the two arms of bench:train', () => {
  it.each([['--quick'], [], ['--full']])(
    'differ in what they take the loss on and in the learning rate’s course alone (%j)',
    async (...words) => {
      const plan = readPlan(words);
      const [tutorial, recommended] = [await recipeOf('tutorial', 5, plan), await recipeOf('recommended', 5, plan)];
      const { name: _name, ...differences } = differingSettings(tutorial, recommended);
      expect(differences).toEqual({ 'trainer.lossOn': ['all', 'response'], 'trainer.lrScheduler': ['linear', 'cosine'] });
      expect(tutorial.trainer).toMatchObject({ maxSteps: plan.steps, epochs: null, seed: 5, evalSteps: null });
      expect(tutorial.data).toMatchObject({ heldOutRows: plan.heldOutRows, heldOutSeed: 3407 });
    },
  );

  it('takes three seeds, or those that are named', () => {
    expect(readPlan([]).seeds).toEqual([1, 2, 3]);
    expect(readPlan(['--seeds', '4,7']).seeds).toEqual([4, 7]);
  });
});
