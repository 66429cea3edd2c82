import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../../src/core/config.ts';
import { packageRoot } from '../../../src/core/package-root.ts';
import type { Recipe } from '../../../src/core/schema/recipe.ts';
import { locateDataset } from '../../../src/train/dataset-source.ts';
import { errorOf } from '../../support/error-of.ts';
import { type HubServer, startHubServer } from '../../support/hub-server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { testConfig } from '../../support/test-home.ts';

const rows = '[{"Question": "q", "Complex_CoT": "t", "Response": "a"}]';
const card = (frontMatter: string): { content: Buffer } => ({ content: Buffer.from(`---\n${frontMatter}\n---\n# A data set\n`) });
const file = (text: string): { content: Buffer } => ({ content: Buffer.from(text) });
const twoConfigs = `license: apache-2.0
configs:
  - config_name: en
    data_files: sft_en.json
  - config_name: zh
    data_files:
      - split: train
        path: [sft_zh.json]`;

let hub: HubServer;
beforeAll(async () => {
  hub = await startHubServer();
});
afterAll(() => hub.close());

const dataOf = (ref: string, changes: Partial<Recipe['data']> = {}): Recipe['data'] => ({
  ref,
  revision: null,
  config: null,
  split: 'train',
  offset: 0,
  limit: null,
  heldOutRows: 0,
  heldOutSeed: null,
  deduplicate: false,
  columns: { question: 'Question', thought: 'Complex_CoT', answer: 'Response' },
  ...changes,
});
const deps = (): { config: Config } => ({ config: { ...testConfig(temporaryFolder()), hubEndpoint: hub.endpoint } });

describe('locateDataset on this machine', () => {
  it('takes a path as it is, without a revision', async () => {
    const here = path.join(temporaryFolder(), 'rows.jsonl');
    await writeFile(here, rows);
    expect(await locateDataset(dataOf(here), deps())).toEqual({ file: here, revision: null });
  });

  it('finds the package’s own rows from any folder', async () => {
    expect(await locateDataset(dataOf('data/train/osler-medical-cot.jsonl'), deps())).toEqual({
      file: path.join(packageRoot, 'data/train/osler-medical-cot.jsonl'),
      revision: null,
    });
  });

  it.each(['none.jsonl', 'some/none.json', '/none/none.jsonl', 'a/b/c/d'])(
    'says that there is no file "%s", and asks no Hub',
    async (ref) => {
      const before = hub.requests.length;
      const error = await errorOf(() => locateDataset(dataOf(ref), deps()));
      expect([error.code, error.message.includes(`"${ref}"`)]).toEqual(['OSLER_ERR_FILE_NOT_FOUND', true]);
      expect(hub.requests.length).toBe(before);
    },
  );
});

describe('locateDataset on the Hub', () => {
  const files = { 'README.md': card(twoConfigs), 'sft_en.json': file(rows), 'sft_zh.json': file(rows.replace('"q"', '"zh"')) };

  it('fetches the file that the card names for the configuration, and pins the commit', async () => {
    const commit = hub.addCommit('dataset', 'owner/rows', files);
    const found = await locateDataset(dataOf('owner/rows', { config: 'en' }), deps());
    expect(found.revision).toBe(commit);
    expect(await readFile(found.file, 'utf8')).toBe(rows);
    const chinese = await locateDataset(dataOf('owner/rows', { config: 'zh' }), deps());
    expect(path.basename(chinese.file)).toBe('sft_zh.json');
    // Only the card and the named file are worth the transfer.
    expect(hub.requests.filter(({ url }) => url.includes('/resolve/')).map(({ url }) => path.basename(url))).toEqual([
      'README.md',
      'sft_en.json',
      'README.md',
      'sft_zh.json',
    ]);
  });

  it('takes the first configuration where none is asked for', async () => {
    hub.addCommit('dataset', 'owner/first', files);
    expect(path.basename((await locateDataset(dataOf('owner/first'), deps())).file)).toBe('sft_en.json');
  });

  it('takes the pinned commit of the recipe, and that of the reference before it', async () => {
    const old = hub.addCommit('dataset', 'owner/moving', { ...files, 'sft_en.json': file('[1]') });
    const newest = hub.addCommit('dataset', 'owner/moving', { ...files, 'sft_en.json': file('[2]') });
    const textOf = async (ref: string, revision: string | null): Promise<[string, string | null]> => {
      const found = await locateDataset(dataOf(ref, { config: 'en', revision }), deps());
      return [await readFile(found.file, 'utf8'), found.revision];
    };
    expect(await textOf('owner/moving', null)).toEqual(['[2]', newest]);
    expect(await textOf('owner/moving', old)).toEqual(['[1]', old]);
    expect(await textOf(`owner/moving@${newest}`, old)).toEqual(['[2]', newest]);
  });

  it('takes the split "train" where the card names several', async () => {
    hub.addCommit('dataset', 'owner/splits', {
      'README.md': card(`configs:
  - config_name: default
    data_files:
      - split: test
        path: test.jsonl
      - split: train
        path: train.jsonl`),
      'test.jsonl': file(rows),
      'train.jsonl': file(rows),
    });
    expect(path.basename((await locateDataset(dataOf('owner/splits'), deps())).file)).toBe('train.jsonl');
  });

  it('takes the file that the reference names, without a card', async () => {
    hub.addCommit('dataset', 'owner/bare', { 'deep/rows.jsonl': file(rows) });
    const found = await locateDataset(dataOf('owner/bare:deep/rows.jsonl'), deps());
    expect(await readFile(found.file, 'utf8')).toBe(rows);
  });

  it('names the known configurations where one is unknown', async () => {
    hub.addCommit('dataset', 'owner/rows', files);
    const error = await errorOf(() => locateDataset(dataOf('owner/rows', { config: 'fr' }), deps()));
    expect(error.code).toBe('OSLER_ERR_USAGE');
    expect(error.message).toContain('configuration "fr"');
    expect(error.message).toContain('its configurations: en, zh');
    expect(error.message).toContain('--data owner/rows:path/of/file.json');
  });

  it.each([
    ['no card', {}],
    ['a card without front matter', { 'README.md': file('# Rows\n') }],
    ['a card that is no YAML', { 'README.md': card('configs: [unclosed\n  - : :') }],
    ['a card of another shape', { 'README.md': card('configs: 7') }],
    ['a file of another kind', { 'README.md': card('configs:\n  - config_name: en\n    data_files: rows.parquet') }],
  ])('asks for the file’s name where the data set has %s', async (_title, changes) => {
    hub.addCommit('dataset', 'owner/odd', { 'rows.parquet': file('PAR1'), ...changes });
    const error = await errorOf(() => locateDataset(dataOf('owner/odd'), deps()));
    expect(error.code).toBe('OSLER_ERR_USAGE');
    expect(error.message).toContain('Name the file: --data owner/odd:');
  });

  it('says that a file which the card names is not in the repository', async () => {
    hub.addCommit('dataset', 'owner/gone', { 'README.md': card(twoConfigs) });
    const error = await errorOf(() => locateDataset(dataOf('owner/gone', { config: 'en' }), deps()));
    expect([error.code, error.message.includes('sft_en.json')]).toEqual(['OSLER_ERR_DATA_EMPTY', true]);
  });

  it('says that a data set is not on the Hub', async () => {
    expect((await errorOf(() => locateDataset(dataOf('owner/nowhere'), deps()))).code).toBe('OSLER_ERR_HUB_FAILED');
  });
});
