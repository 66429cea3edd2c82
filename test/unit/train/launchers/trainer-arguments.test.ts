import { expect, it } from 'vitest';
import { trainerArguments } from '../../../../src/train/launchers/trainer-arguments.ts';

it('starts one process itself, and several by torchrun', () => {
  expect(trainerArguments('/runs/a b/job.json', 1)).toEqual(['-m', 'osler_trainer', 'train', '/runs/a b/job.json']);
  expect(trainerArguments('/job.json', 4)).toEqual([
    '-m',
    'torch.distributed.run',
    '--standalone',
    '--nproc-per-node',
    '4',
    '-m',
    'osler_trainer',
    'train',
    '/job.json',
  ]);
});
