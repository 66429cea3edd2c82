import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../../src/core/digest.ts';
import type { ExportedModel } from '../../../../src/train/certificate/exported-model.ts';
import type { Reference } from '../../../../src/train/certificate/reference.ts';
import { tokenChecks } from '../../../../src/train/certificate/token-checks.ts';

const template = 'the template';
const [bos, eos] = [1, 2];
/** A character a token, BOS and EOS as "^" and "$". */
const idsOf = (text: string): number[] => [...text].map((sign) => ({ '^': bos, $: eos })[sign] ?? sign.codePointAt(0) ?? 0);
const reference: Pick<Reference, 'rows' | 'prompts' | 'bosId' | 'eosId' | 'templateSha256'> = {
  bosId: bos,
  eosId: eos,
  templateSha256: sha256(template),
  rows: [
    { id: 'r1', text: '^Q? T A$', ids: idsOf('^Q? T A$'), isTruncated: false },
    { id: 'r2', text: '^Q? long$', ids: idsOf('^Q?'), isTruncated: true },
  ],
  prompts: [{ id: 'p1', question: 'Q?', text: '^Q?', ids: idsOf('^Q?') }],
};

const model = (changes: Partial<ExportedModel> = {}, facts: object = {}): ExportedModel => ({
  device: 'none',
  chatTemplate: template,
  vocabulary: async () => ({ size: 300, bosId: bos, eosId: eos, addsBos: false, endIds: [eos], ...facts }),
  render: (question) => `^${question}`,
  tokenize: async (text) => idsOf(text),
  read: async () => [],
  answer: async () => ({ text: '', hasEnded: true }),
  close: async () => undefined,
  ...changes,
});

const failedOf = async (exported: ExportedModel, changes: Partial<typeof reference> = {}): Promise<string[]> =>
  // The other fields play no part here.
  (await tokenChecks('f16', exported, { ...reference, ...changes } as Reference))
    .filter(({ status }) => status === 'failed')
    .map(({ id }) => id);

describe('tokenChecks', () => {
  it('has nothing against a file that reads as was trained; a cut row needs no EOS', async () => {
    expect(await failedOf(model())).toEqual([]);
  });

  it('tells another text of the template, another prompt, and none at all', async () => {
    expect(await failedOf(model({ chatTemplate: `${template} ` }))).toEqual(['template/f16']);
    expect(await failedOf(model({ render: (question) => `^ ${question}` }))).toEqual(['template/f16']);
    expect(await failedOf(model({ chatTemplate: null, render: () => '' }))).toEqual(['template/f16']);
  });

  it('names the first token that differs', async () => {
    const checks = await tokenChecks('f16', model({ tokenize: async (text) => idsOf(text.replace('T', 'U')) }), reference as Reference); // as above
    expect(checks.map(({ status }) => status)).toEqual(['passed', 'failed', 'passed', 'passed']);
    expect(checks[1]?.detail).toContain('token 5 is 85 and 84 was trained');
  });

  it('counts the BOS that a runtime adds to the one of the template', async () => {
    expect(await failedOf(model({}, { addsBos: true }))).toEqual(['bos/f16']);
    expect(await failedOf(model({}, { bosId: 9 }))).toEqual(['bos/f16']);
  });

  it('wants no BOS where the model has none', async () => {
    const prompts = [{ id: 'p1', question: 'Q?', text: 'Q?', ids: idsOf('Q?') }];
    const plain = model({ render: (question) => question }, { bosId: null });
    expect(await failedOf(plain, { bosId: null, prompts })).toEqual([]);
    expect(await failedOf(model({ render: (question) => question }, { bosId: null, addsBos: true }), { bosId: null, prompts })).toEqual([
      'bos/f16',
    ]);
  });

  it('wants the trained EOS in the file, as an end, and once at the end of each row', async () => {
    expect(await failedOf(model({}, { eosId: 0 }))).toEqual(['eos/f16']);
    expect(await failedOf(model({}, { endIds: [] }))).toEqual(['eos/f16']);
    for (const text of ['^Q? T A', '^Q? T A$$'])
      expect(await failedOf(model(), { rows: [{ id: 'r1', text, ids: idsOf(text), isTruncated: false }] })).toEqual(['eos/f16']);
  });
});
