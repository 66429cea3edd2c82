import { describe, expect, it } from 'vitest';
import { ggufMetadata, licenceOf } from '../../../../src/train/export/gguf-metadata.ts';
import { RunSource } from '../../../../src/train/run-source.ts';
import { doneRun } from '../../../support/tiny-run.ts';

const hub = 'https://huggingface.co';
const commit = 'a'.repeat(40);

async function metadata(base: RunSource['base'], data: { ref: string; revision: string | null }): Promise<Record<string, unknown>> {
  const run = await doneRun({ name: 'DeepSeek-R1-Medical-COT' });
  const recipe = { ...run.recipe, base: { ...run.recipe.base, ref: base.ref }, data: { ...run.recipe.data, ref: data.ref } };
  const source = RunSource.parse({ base, data: { ...data, sha256: '', trainRows: 1, heldOutRows: 0 } });
  return ggufMetadata({ ...run, recipe }, source, hub);
}

describe('ggufMetadata', () => {
  it('names the repositories and commits that a model was made from', async () => {
    const made = await metadata(
      { ref: 'unsloth/DeepSeek-R1-Distill-Llama-8B', revision: commit },
      { ref: 'FreedomIntelligence/medical-o1-reasoning-SFT', revision: commit },
    );
    expect(made).toEqual({
      'general.name': 'DeepSeek-R1-Medical-COT',
      'general.description': 'LoRA of DeepSeek-R1-Distill-Llama-8B, merged. For research only; not a medical device.',
      'general.base_models': [
        {
          name: 'DeepSeek-R1-Distill-Llama-8B',
          organization: 'unsloth',
          version: commit,
          repo_url: 'https://huggingface.co/unsloth/DeepSeek-R1-Distill-Llama-8B',
        },
      ],
      'general.datasets': [
        {
          name: 'medical-o1-reasoning-SFT',
          organization: 'FreedomIntelligence',
          version: commit,
          repo_url: 'https://huggingface.co/datasets/FreedomIntelligence/medical-o1-reasoning-SFT',
        },
      ],
      'general.license.name': 'MIT, on Llama 3.1 (Llama 3.1 Community License)',
    });
  });

  it('names local models and files without their folder', async () => {
    const made = await metadata({ ref: '/home/somebody/models/mine', revision: null }, { ref: './ward/rows.jsonl', revision: null });
    expect(made).toMatchObject({ 'general.base_models': [{ name: 'mine' }], 'general.datasets': [{ name: 'rows.jsonl' }] });
    expect(JSON.stringify(made)).not.toMatch(/somebody|ward/);
    expect(made).not.toHaveProperty('general.license.name');
  });
});

describe('licenceOf', () => {
  it('knows the models of the package, by id and by repository', () => {
    expect(licenceOf('smollm2-135m-instruct')).toBe('Apache-2.0');
    expect(licenceOf('unsloth/DeepSeek-R1-Distill-Llama-8B')).toContain('MIT');
    expect(licenceOf('Qwen/Qwen2.5-7B-Instruct')).toBe('Apache License 2.0');
    expect(licenceOf('owner/other')).toBeNull();
  });
});
