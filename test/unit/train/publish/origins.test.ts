import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../../../src/core/config.ts';
import { findDataOrigin } from '../../../../src/train/publish/data-origin.ts';
import { findModelOrigin } from '../../../../src/train/publish/model-origin.ts';
import { type HubServer, startHubServer } from '../../../support/hub-server.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';

describe('origins', () => {
  let hub: HubServer;
  let config: Config;

  beforeEach(async () => {
    hub = await startHubServer();
    config = { ...testConfig(temporaryFolder()), hubEndpoint: hub.endpoint };
  });
  afterEach(() => hub.close());

  const text = (content: string) => ({ content: Buffer.from(content) });
  const model = async (ref: string, revision: string | null, isOffline = false) =>
    await findModelOrigin({ ref, revision }, { config, isOffline });
  const data = async (ref: string, revision: string | null, name: string | null = null, isOffline = false) =>
    await findDataOrigin({ ref, revision }, name, { config, isOffline });

  describe('of a base model', () => {
    it('reads licence and licence files from the base’s repository at the pinned revision, and nothing else', async () => {
      const revision = hub.addCommit('model', 'own/model', {
        'README.md': text('---\nlicense: other\nlicense_name: house licence\nlicense_link: https://example.com/l\n---\n'),
        'LICENSE.txt': text('the text'),
        NOTICE: text('a notice'),
        'model.safetensors': { content: Buffer.alloc(100), isLarge: true },
      });
      hub.addCommit('model', 'own/model', { 'README.md': text('---\nlicense: mit\n---\n') });
      const origin = await model('own/model', revision);
      expect(origin).toMatchObject({
        name: 'own/model',
        repo: 'own/model',
        revision,
        licence: { id: 'other', name: 'house licence', basis: 'the card of own/model' },
      });
      expect(origin.files.map((file) => file.path).toSorted()).toEqual(['LICENSE.txt', 'NOTICE']);
      expect(readFileSync(origin.files.find((file) => file.path === 'LICENSE.txt')?.file ?? '', 'utf8')).toBe('the text');
    });

    it('keeps to what it knows of a family, and tells where the card says otherwise', async () => {
      const revision = hub.addCommit('model', 'deepseek-ai/DeepSeek-R1-Distill-Llama-8B', {
        'README.md': text('---\nlicense: mit\n---\n'),
      });
      const { licence } = await model('deepseek-ai/DeepSeek-R1-Distill-Llama-8B', revision);
      expect(licence.id).toBe('llama3.1');
      expect(licence.terms.at(-1)).toBe('The card of deepseek-ai/DeepSeek-R1-Distill-Llama-8B names the licence "mit".');
    });

    it('says unknown where neither helps: no card, a gated one, a local folder', async () => {
      const revision = hub.addCommit('model', 'own/model', { 'config.json': text('{}') });
      expect((await model('own/model', revision)).licence.id).toBe('unknown');
      const gated = hub.addCommit('model', 'own/gated', { 'README.md': text('---\nlicense: mit\n---\n') });
      hub.accounts.set('hf_other', { name: 'other', role: 'read' });
      const repository = hub.repository('model', 'own/gated');
      if (repository !== undefined) repository.isGated = true;
      expect((await model('own/gated', gated)).licence.id).toBe('unknown');
      const before = hub.requests.length;
      expect(await model('/srv/models/private-thing', null)).toMatchObject({
        name: 'private-thing',
        repo: null,
        licence: { id: 'unknown' },
        files: [],
      });
      expect((await model('own/model', revision, true)).licence.id).toBe('unknown');
      expect(hub.requests).toHaveLength(before);
    });

    it('knows the embedded model by its name on the Hub', async () => {
      expect(await model('smollm2-135m-instruct', null)).toMatchObject({
        repo: 'HuggingFaceTB/SmolLM2-135M-Instruct',
        licence: { id: 'apache-2.0' },
      });
    });
  });

  describe('of a data set', () => {
    it('knows where the tutorial’s rows come from, whatever the spelling', async () => {
      const origin = await data('FreedomIntelligence/medical-o1-reasoning-SFT', 'd'.repeat(40), 'en');
      expect(origin).toMatchObject({ repo: 'FreedomIntelligence/medical-o1-reasoning-SFT', licence: 'Apache-2.0', language: 'en' });
      expect(origin.facts.join(' ')).toMatch(/training splits of .*MedQA .*MedMCQA/);
      expect(hub.requests).toEqual([]);
    });

    it('reads another’s licence from its card, and says unknown where there is none', async () => {
      const revision = hub.addCommit('dataset', 'own/rows', { 'README.md': text('---\nlicense: cc-by-4.0\n---\n') });
      expect(await data('own/rows', revision)).toMatchObject({ licence: 'cc-by-4.0', facts: [], language: null });
      expect(await data('own/none', 'e'.repeat(40))).toMatchObject({ licence: 'unknown' });
      expect(await data('/home/ann/patients/rows.jsonl', null)).toMatchObject({ name: 'rows.jsonl', repo: null, licence: 'unknown' });
      expect(await data('data/train/osler-medical-cot.jsonl', null)).toMatchObject({ licence: 'Apache-2.0', language: 'en' });
    });
  });
});
