import { expect, it } from 'vitest';
import { trainerSecrets } from '../../../../src/train/launchers/trainer-secrets.ts';

it('takes tokens and the addresses that they are for, and nothing else of the environment', () => {
  const environment = {
    HUGGINGFACE_TOKEN: 'hf',
    WANDB_API_KEY: 'w',
    WANDB_BASE_URL: 'https://own',
    HF_ENDPOINT: '',
    PATH: '/bin',
    OSLER_API_KEY: 'o',
  };
  expect(trainerSecrets(environment)).toEqual({ HF_TOKEN: 'hf', WANDB_API_KEY: 'w', WANDB_BASE_URL: 'https://own' });
  expect(trainerSecrets({ HF_TOKEN: 'a', HUGGINGFACE_TOKEN: 'b' })).toEqual({ HF_TOKEN: 'a' });
  expect(trainerSecrets({})).toEqual({});
});
