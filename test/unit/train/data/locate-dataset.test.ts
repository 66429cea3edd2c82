import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../../../src/core/config.ts';
import { packageRoot } from '../../../../src/core/package-root.ts';
import type { Recipe } from '../../../../src/core/schema/recipe.ts';
import { locateDataset } from '../../../../src/train/data/locate-dataset.ts';
import { errorOf } from '../../../support/error-of.ts';
import { type HubServer, startHubServer } from '../../../support/hub-server.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';
import { dataOptions } from './data-options.ts';

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

const dataOf = (ref: string, changes: Partial<Recipe['data']> = {}): Recipe['data'] => dataOptions({ ref, ...changes });
const onlyFile = ({ files }: { files: readonly string[] }): string => {
  expect(files).toHaveLength(1);
  return files[0] ?? '';
};
const namesOf = ({ files }: { files: readonly string[] }): string[] => files.map((name) => path.basename(name));
const deps = (): { config: Config } => ({ config: { ...testConfig(temporaryFolder()), hubEndpoint: hub.endpoint } });

describe('locateDataset on this machine', () => {
  it('takes a path as it is, without a revision', async () => {
    const here = path.join(temporaryFolder(), 'rows.jsonl');
    await writeFile(here, rows);
    expect(await locateDataset(dataOf(here), deps())).toEqual({ files: [here], revision: null, licence: null, notes: [] });
  });

  it('refuses a split that one file cannot have, and takes a slice of the one it has', async () => {
    const here = path.join(temporaryFolder(), 'rows.jsonl');
    await writeFile(here, rows);
    expect((await errorOf(() => locateDataset(dataOf(here, { split: 'test' }), deps()))).message).toContain('there is no "test"');
    expect((await locateDataset(dataOf(here, { split: 'train[:50%]' }), deps())).files).toEqual([here]);
  });

  it('finds the package’s own rows from any folder', async () => {
    const found = await locateDataset(dataOf('data/train/osler-medical-cot.jsonl'), deps());
    expect(found.files).toEqual([path.join(packageRoot, 'data/train/osler-medical-cot.jsonl')]);
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

describe('locateDataset in a folder', () => {
  const folderOf = async (files: Record<string, string>): Promise<string> => {
    const folder = temporaryFolder();
    for (const [name, text] of Object.entries(files)) {
      await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await writeFile(path.join(folder, name), text);
    }
    return folder;
  };

  it('takes the files of the split, as of a data set that was cloned from the Hub', async () => {
    const folder = await folderOf({ 'README.md': `---\n${twoConfigs}\n---\n`, 'sft_en.json': rows, 'sft_zh.json': rows });
    expect(await locateDataset(dataOf(folder, { config: 'zh' }), deps())).toEqual({
      files: [path.join(folder, 'sft_zh.json')],
      revision: null,
      licence: 'apache-2.0',
      notes: [],
    });
  });

  it('goes by names where there is no card', async () => {
    const folder = await folderOf({ 'train/b.jsonl': rows, 'train/a.jsonl': rows, 'test/a.jsonl': rows, '.cache/train/a.jsonl': rows });
    const { files } = await locateDataset(dataOf(folder), deps());
    expect(files).toEqual([path.join(folder, 'train/a.jsonl'), path.join(folder, 'train/b.jsonl')]);
  });

  it('asks for the file’s name where it holds none', async () => {
    const folder = await folderOf({ 'notes.txt': 'x' });
    const error = await errorOf(() => locateDataset(dataOf(folder), deps()));
    expect([error.code, error.message.includes('has no files of rows that are read')]).toEqual(['OSLER_ERR_USAGE', true]);
  });
});

describe('locateDataset on the Hub', () => {
  const files = { 'README.md': card(twoConfigs), 'sft_en.json': file(rows), 'sft_zh.json': file(rows.replace('"q"', '"zh"')) };

  it('fetches the file that the card names for the configuration, and pins the commit', async () => {
    const commit = hub.addCommit('dataset', 'owner/rows', files);
    const found = await locateDataset(dataOf('owner/rows', { config: 'en' }), deps());
    expect(found.revision).toBe(commit);
    expect(await readFile(onlyFile(found), 'utf8')).toBe(rows);
    const chinese = await locateDataset(dataOf('owner/rows', { config: 'zh' }), deps());
    expect(namesOf(chinese)).toEqual(['sft_zh.json']);
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
    const found = await locateDataset(dataOf('owner/first'), deps());
    expect(namesOf(found)).toEqual(['sft_en.json']);
    expect(found.notes).toEqual(['configuration "en" was taken, of en, zh; choose with --set data.config=NAME']);
  });

  it('takes the pinned commit of the recipe, and that of the reference before it', async () => {
    const old = hub.addCommit('dataset', 'owner/moving', { ...files, 'sft_en.json': file('[1]') });
    const newest = hub.addCommit('dataset', 'owner/moving', { ...files, 'sft_en.json': file('[2]') });
    const textOf = async (ref: string, revision: string | null): Promise<[string, string | null]> => {
      const found = await locateDataset(dataOf(ref, { config: 'en', revision }), deps());
      return [await readFile(onlyFile(found), 'utf8'), found.revision];
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
    expect(namesOf(await locateDataset(dataOf('owner/splits'), deps()))).toEqual(['train.jsonl']);
  });

  it('takes the file that the reference names, without a card', async () => {
    hub.addCommit('dataset', 'owner/bare', { 'deep/rows.jsonl': file(rows) });
    const found = await locateDataset(dataOf('owner/bare:deep/rows.jsonl'), deps());
    expect(await readFile(onlyFile(found), 'utf8')).toBe(rows);
  });

  it('names the known configurations where one is unknown', async () => {
    hub.addCommit('dataset', 'owner/rows', files);
    const error = await errorOf(() => locateDataset(dataOf('owner/rows', { config: 'fr' }), deps()));
    expect(error.code).toBe('OSLER_ERR_USAGE');
    expect(error.message).toContain('configuration "fr"');
    expect(error.message).toContain('its configurations: en, zh');
    expect(error.message).toContain('--data owner/rows:path/of/file.parquet');
  });

  it.each([
    ['no card', {}],
    ['a card without front matter', { 'README.md': file('# Rows\n') }],
    ['a card that is no YAML', { 'README.md': card('configs: [unclosed\n  - : :') }],
    ['a card of another shape', { 'README.md': card('configs: 7') }],
    ['a file of another kind alone', { 'README.md': card('license: mit') }],
  ])('asks for the file’s name where the data set has %s and no files of rows', async (_title, changes) => {
    hub.addCommit('dataset', 'owner/odd', { 'rows.bin': file('…'), ...changes });
    const error = await errorOf(() => locateDataset(dataOf('owner/odd'), deps()));
    expect(error.code).toBe('OSLER_ERR_USAGE');
    expect(error.message).toContain('Name the file: --data owner/odd:');
  });

  it('takes all files that a pattern of the card means, in order, and the licence', async () => {
    hub.addCommit('dataset', 'owner/shards', {
      'README.md': card(`license: apache-2.0
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: test
    path: data/test-*`),
      'data/train-00010-of-00011.parquet': file('PAR1'),
      'data/train-00002-of-00011.parquet': file('PAR1'),
      'data/test-00000-of-00001.parquet': file('PAR1'),
    });
    const found = await locateDataset(dataOf('owner/shards'), deps());
    expect(namesOf(found)).toEqual(['train-00002-of-00011.parquet', 'train-00010-of-00011.parquet']);
    expect(found.licence).toBe('apache-2.0');
    expect(namesOf(await locateDataset(dataOf('owner/shards', { split: 'test[:10%]' }), deps()))).toEqual(['test-00000-of-00001.parquet']);
    const error = await errorOf(() => locateDataset(dataOf('owner/shards', { split: 'validation' }), deps()));
    expect(error.message).toContain('has no split "validation" (its splits: train, test;');
  });

  it.each([
    ['a table of splits', 'data_files:\n      train: a.jsonl\n      test: [b.jsonl]', ['a.jsonl'], ['b.jsonl']],
    ['a folder of its own', 'data_dir: ./sub/\n    data_files: "*.jsonl"', ['c.jsonl'], null],
    ['a folder alone', 'data_dir: ./sub/', ['c.jsonl'], null],
  ])('understands a card with %s', async (_title, fields, train, test) => {
    hub.addCommit('dataset', 'owner/card', {
      'README.md': card(`configs:\n  - config_name: default\n    ${fields}`),
      'a.jsonl': file(rows),
      'b.jsonl': file(rows),
      'sub/c.jsonl': file(rows),
    });
    expect(namesOf(await locateDataset(dataOf('owner/card'), deps()))).toEqual(train);
    const other = locateDataset(dataOf('owner/card', { split: 'test' }), deps());
    if (test === null) expect((await errorOf(() => other)).code).toBe('OSLER_ERR_USAGE');
    else expect(namesOf(await other)).toEqual(test);
  });

  it('takes a pattern in the reference', async () => {
    hub.addCommit('dataset', 'owner/pattern', { 'en/a.jsonl': file(rows), 'en/b.jsonl': file(rows), 'zh/a.jsonl': file(rows) });
    expect(namesOf(await locateDataset(dataOf('owner/pattern:en/*.jsonl'), deps()))).toEqual(['a.jsonl', 'b.jsonl']);
    const error = await errorOf(() => locateDataset(dataOf('owner/pattern:fr/*.jsonl'), deps()));
    expect([error.code, error.message.includes('fr/*.jsonl')]).toEqual(['OSLER_ERR_DATA_EMPTY', true]);
  });

  it('goes by the names of files where there is no card', async () => {
    hub.addCommit('dataset', 'owner/names', { 'train.csv': file('a'), 'test.csv': file('a'), 'config.json': file('{}') });
    expect(namesOf(await locateDataset(dataOf('owner/names'), deps()))).toEqual(['train.csv']);
    expect(namesOf(await locateDataset(dataOf('owner/names', { split: 'test' }), deps()))).toEqual(['test.csv']);
  });

  describe('with the Hub’s own Parquet', () => {
    const converted = { 'en/train/0001.parquet': file('PAR1'), 'en/train/0000.parquet': file('PAR1'), 'zh/partial-train/0000.parquet': file('PAR1') };

    it('takes it where the repository has no files that are read, pinned by its commit', async () => {
      hub.addCommit('dataset', 'owner/script', { 'script.py': file('…'), 'README.md': card('license: mit') });
      const commit = hub.addCommit('dataset', 'owner/script', converted, 'refs/convert/parquet');
      const found = await locateDataset(dataOf('owner/script', { config: 'en' }), deps());
      expect(namesOf(found)).toEqual(['0000.parquet', '0001.parquet']);
      expect([found.revision, found.licence]).toEqual([commit, 'mit']);
      expect(found.notes).toEqual([expect.stringContaining('(refs/convert/parquet, configuration en)')]);
    });

    it('says so where only a part of the data set was converted', async () => {
      hub.addCommit('dataset', 'owner/partial', { 'script.py': file('…') });
      hub.addCommit('dataset', 'owner/partial', converted, 'refs/convert/parquet');
      const found = await locateDataset(dataOf('owner/partial', { config: 'zh' }), deps());
      expect(found.notes.at(-1)).toContain('rows beyond it are missing');
    });

    it('does not take it for a revision that was asked for, which it may not be made of', async () => {
      const old = hub.addCommit('dataset', 'owner/pinned', { 'script.py': file('…') });
      hub.addCommit('dataset', 'owner/pinned', converted, 'refs/convert/parquet');
      expect((await errorOf(() => locateDataset(dataOf('owner/pinned', { revision: old }), deps()))).code).toBe('OSLER_ERR_USAGE');
      const named = await locateDataset(dataOf('owner/pinned@refs/convert/parquet:en/train/*.parquet'), deps());
      expect(named.files).toHaveLength(2);
    });

    it('says which files are missing where it has not that split', async () => {
      hub.addCommit('dataset', 'owner/none', { 'script.py': file('…') });
      hub.addCommit('dataset', 'owner/none', converted, 'refs/convert/parquet');
      expect((await errorOf(() => locateDataset(dataOf('owner/none', { split: 'test' }), deps()))).code).toBe('OSLER_ERR_USAGE');
    });
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
