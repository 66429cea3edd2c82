import { describe, expect, it } from 'vitest';
import { licenceOfCard, licenceOfFamily } from '../../../../src/train/publish/base-licences.ts';

describe('licenceOfFamily', () => {
  it.each([
    ['unsloth/DeepSeek-R1-Distill-Llama-8B', 'llama3.1', 'Built with Llama'],
    ['unsloth/DeepSeek-R1-Distill-Llama-8B-unsloth-bnb-4bit', 'llama3.1', 'Built with Llama'],
    ['deepseek-ai/DeepSeek-R1-Distill-Llama-70B', 'llama3.3', 'Built with Llama'],
    ['deepseek-ai/DeepSeek-R1-Distill-Qwen-7B', 'apache-2.0', null],
    ['meta-llama/Llama-3.1-8B-Instruct', 'llama3.1', 'Built with Llama'],
    ['meta-llama/Llama-3.2-1B', 'llama3.2', 'Built with Llama'],
    ['meta-llama/Meta-Llama-3-8B', 'llama3', 'Built with Meta Llama 3'],
    ['smollm2-135m-instruct', 'apache-2.0', null],
    ['HuggingFaceTB/SmolLM2-1.7B-Instruct', 'apache-2.0', null],
    ['Qwen/Qwen2.5-7B-Instruct', 'apache-2.0', null],
    ['Qwen/Qwen3-8B', 'apache-2.0', null],
  ])('knows that of %s', (ref, id, attribution) => {
    expect(licenceOfFamily(ref)).toMatchObject({ id, attribution });
  });

  it.each(['Qwen/Qwen2.5-3B', 'Qwen/Qwen2.5-72B', 'mistralai/Mistral-7B-v0.3', 'my-model', 'meta-llama/Llama-2-7b', 'Qwen/Qwen2.5-17B'])(
    'does not guess that of %s',
    (ref) => {
      expect(licenceOfFamily(ref)).toBeUndefined();
    },
  );

  it('gives the words that the Llama 3.1 agreement asks for', () => {
    const licence = licenceOfFamily('unsloth/DeepSeek-R1-Distill-Llama-8B');
    expect(licence?.notice).toBe(
      'Llama 3.1 is licensed under the Llama 3.1 Community License, Copyright © Meta Platforms, Inc. All Rights Reserved.',
    );
    expect(licence?.namePrefix).toBe('Llama');
    expect(licence?.terms.join(' ')).toContain('DeepSeek releases its part under the MIT licence');
  });
});

describe('licenceOfCard', () => {
  it('takes what a card states, and nothing that is no licence', () => {
    const front = { license: 'other', license_name: 'My Licence', license_link: 'https://example.com/licence' };
    expect(licenceOfCard(front, 'a/b')).toMatchObject({
      id: 'other',
      name: 'My Licence',
      link: 'https://example.com/licence',
      basis: 'the card of a/b',
    });
    expect(licenceOfCard({ license: 'mit', license_link: 'javascript:alert(1)' }, 'a/b')).toMatchObject({ id: 'mit', link: null });
    for (const license of [undefined, 3, ['mit'], 'My own\nwords: yes', '']) expect(licenceOfCard({ license }, 'a/b')).toBeUndefined();
  });
});
