import { describe, expect, it } from 'vitest';
import { parseDocument } from 'yaml';
import type { Certificate, CertificateCheck } from '../../../../src/core/schema/certificate.ts';
import { RunSource } from '../../../../src/train/run-source.ts';
import { resolveRecipe } from '../../../../src/train/recipe.ts';
import { licenceOfFamily, unknownLicence } from '../../../../src/train/publish/base-licences.ts';
import type { CardFacts } from '../../../../src/train/publish/card-facts.ts';
import { renderModelCard, renderNotice } from '../../../../src/train/publish/model-card.ts';
import { cardProblem } from '../../../support/hub/card-rules.ts';
import { storedRun } from '../../../support/stored-run.ts';
import { certificateOf } from '../certificate/certificate-fixture.ts';

const recipe = await resolveRecipe({ preset: 'tutorial' });
const facts: CardFacts = {
  repo: 'ann/DeepSeek-R1-Medical-COT',
  home: '/home/ann/.osler',
  run: storedRun(recipe, { launcher: 'gpu-box' }),
  source: RunSource.parse({
    data: { ref: 'x/y', revision: 'd'.repeat(40), sha256: 'e'.repeat(64), trainRows: 500, heldOutRows: 100 },
    base: { ref: 'unsloth/DeepSeek-R1-Distill-Llama-8B', revision: 'b'.repeat(40) },
  }),
  training: { started: undefined, dataset: undefined, firstLoss: undefined, lastLoss: undefined, heldOut: [], finished: undefined },
  base: {
    name: 'unsloth/DeepSeek-R1-Distill-Llama-8B',
    repo: 'unsloth/DeepSeek-R1-Distill-Llama-8B',
    revision: 'b'.repeat(40),
    licence: licenceOfFamily('DeepSeek-R1-Distill-Llama-8B') ?? unknownLicence,
    files: [],
  },
  data: { name: 'x/y', repo: 'x/y', revision: 'd'.repeat(40), licence: 'apache-2.0', facts: ['A fact.'], language: 'en' },
  parts: new Set(['adapter', 'merged', 'gguf']),
  ggufTypes: ['Q8_0', 'Q4_K_M'],
  hasAdapterGguf: false,
  hasModelfile: false,
  exportNotices: [],
  certificate: undefined,
  uncertified: [],
  evaluation: undefined,
  oslerVersion: '0.1.0',
};
const certificateWith = (passed: boolean, lines: readonly Pick<CertificateCheck, 'id' | 'title' | 'status' | 'detail'>[]): Certificate => ({
  ...certificateOf([]),
  passed,
  checks: lines.map((line) => ({ kind: 'update', subject: 'q8_0', figures: {}, limits: {}, ...line })),
});
const frontOf = (card: string): unknown => parseDocument(/^---\n(.*?)\n---/s.exec(card)?.[1] ?? '').toJS();

describe('renderModelCard', () => {
  it('has metadata by the Hub’s rules, whatever is pushed', () => {
    const card = renderModelCard(facts);
    expect(frontOf(card)).toMatchObject({
      license: 'llama3.1',
      library_name: 'transformers',
      base_model: ['unsloth/DeepSeek-R1-Distill-Llama-8B'],
      base_model_relation: 'finetune',
      datasets: ['x/y'],
      language: ['en'],
      inference: false,
    });
    const adapter = renderModelCard({ ...facts, parts: new Set(['adapter']), base: { ...facts.base, licence: unknownLicence } });
    expect(frontOf(adapter)).toMatchObject({ license: 'unknown', library_name: 'peft', base_model_relation: 'adapter' });
    const other = { ...unknownLicence, id: 'other', name: 'Own Licence 2', link: 'https://example.com/l' };
    const gguf = renderModelCard({
      ...facts,
      parts: new Set(['gguf']),
      base: { ...facts.base, repo: null, licence: other },
      data: { ...facts.data, repo: null, language: null },
    });
    expect(frontOf(gguf)).toEqual({
      license: 'other',
      license_name: 'own-licence-2',
      license_link: 'https://example.com/l',
      library_name: 'gguf',
      pipeline_tag: 'text-generation',
      tags: expect.arrayContaining(['gguf']),
      inference: false,
    });
    for (const text of [card, adapter, gguf]) expect(cardProblem(text)).toBeUndefined();
  });

  it('says first that it is no medical device, and claims nothing that was not checked or measured', () => {
    const card = renderModelCard(facts);
    expect(card.indexOf('This is not a medical device')).toBeLessThan(card.indexOf('## Recipe'));
    expect(card).toContain('There is none: nobody checked that the exported files compute what was trained');
    expect(card).toContain('There is none yet: whether tuning helped is not known');
    expect(card).toContain('The trainer left no word of what it used');
    expect(card).not.toContain('gpu-box');
  });

  it('tells of a certificate, passed or failed, and of an evaluation', () => {
    const line = { id: 'kl', title: 'KL | of q8\\_0', status: 'failed', detail: '0.3 > 0.1' } as const;
    const failed = renderModelCard({ ...facts, certificate: certificateWith(false, [line]) });
    expect(failed).toContain('**At least one check failed');
    expect(failed).toContain('| kl | KL \\| of q8\\\\\\_0 | failed | 0.3 &gt; 0.1 |');
    const passed = renderModelCard({
      ...facts,
      certificate: certificateWith(true, []),
      evaluation: { id: 'e-1', verdict: 'No difference shown.', tables: '### Accuracy', notices: ['too small'] },
    });
    expect(passed).toContain('every check passed');
    expect(passed).toContain('**No difference shown.**\n\n### Accuracy\n\n- too small');
    expect(passed).not.toContain('Nobody has measured how often it is right');
  });

  it('says of a certificate what it does not show: checks that were not run, files that it does not cover', () => {
    const certificate = certificateWith(true, [
      { id: 'a', title: 'A', status: 'passed', detail: 'in /home/ann/.osler/runs/run-1/merged all differ' },
      { id: 'b', title: 'B', status: 'notRun', detail: 'no held-out rows' },
    ]);
    const card = renderModelCard({ ...facts, certificate, uncertified: ['x-Q4_K_M.gguf'] });
    expect(card).toContain('no check failed, but **1 of 2 were not run**');
    expect(card).not.toContain('every check passed');
    expect(card).toContain('**Not covered by it:** `x-Q4_K_M.gguf`.');
    expect(card).toContain('It was not shown of all files here');
    expect(card).toContain('in runs/run-1/merged all differ');
  });

  it('shows how to use what is there and nothing else', () => {
    const merged = renderModelCard({ ...facts, parts: new Set(['merged']), ggufTypes: [] });
    expect(merged).toContain('AutoModelForCausalLM.from_pretrained("ann/DeepSeek-R1-Medical-COT"');
    expect(merged).not.toContain('PeftModel');
    expect(merged).not.toContain('ollama');
    const all = renderModelCard({ ...facts, hasAdapterGguf: true, hasModelfile: true });
    expect(all).toContain('subfolder="adapter"');
    expect(all).toContain('ollama run hf.co/ann/DeepSeek-R1-Medical-COT:Q8_0');
    expect(all).toContain('adapter/DeepSeek-R1-Medical-COT-lora.gguf');
    expect(all).toContain('-f Modelfile');
  });

  it('lets names of others become no markup, line or link', () => {
    const name = 'rows](http://evil.example)\n# Heading <script>alert(1)</script>.jsonl';
    const card = renderModelCard({ ...facts, data: { ...facts.data, name, repo: null } });
    expect(card).not.toContain('\n# Heading');
    expect(card).not.toContain('<script>');
    expect(card).not.toMatch(/[^\\]\]\(http:\/\/evil/);
  });

  it('says what the licence asks for, and whether its text travels along', () => {
    expect(renderModelCard(facts)).toContain('does not begin with "Llama"');
    const named = renderModelCard({
      ...facts,
      repo: 'ann/Llama-Medical',
      base: { ...facts.base, files: [{ path: 'LICENSE', file: '/x/LICENSE' }] },
    });
    expect(named).not.toContain('does not begin with');
    expect(named).toContain("The base model's own files travel with this one: `LICENSE`");
    expect(renderNotice(facts)).toContain('Copyright © Meta Platforms, Inc. All Rights Reserved.');
  });
});
