import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../../src/core/store.ts';
import { ModelStore } from '../../../../src/train/model-store.ts';
import { baseForCheck } from '../../../../src/train/preflight/base-for-check.ts';
import { errorOf } from '../../../support/error-of.ts';
import { type HubServer, startHubServer } from '../../../support/hub-server.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';

let hub: HubServer;
beforeAll(async () => {
  hub = await startHubServer();
});
afterAll(() => hub.close());
const deps = () => ({
  config: { ...testConfig(temporaryFolder()), hubEndpoint: hub.endpoint },
  models: new ModelStore(openStore(':memory:')),
});
const file = (text: string, isLarge = false): { content: Buffer; isLarge: boolean } => ({ content: Buffer.from(text), isLarge });

describe('baseForCheck', () => {
  it('fetches config and tokenizer of a model on the Hub and none of its weights, whose size it gives', async () => {
    const commit = hub.addCommit('model', 'owner/model', {
      'config.json': file('{}'),
      'tokenizer.json': file('{}'),
      'model.safetensors.index.json': file('{}'),
      'model-00001-of-00002.safetensors': file('x'.repeat(5000), true),
      'model-00002-of-00002.safetensors': file('y'.repeat(300), true),
      'original/params.json': file('{}'),
    });
    const found = await baseForCheck('owner/model', null, deps());
    expect(path.basename(found.folder)).toBe(commit);
    expect((await readdir(found.folder)).filter((name) => !name.startsWith('.')).toSorted()).toEqual([
      'config.json',
      'model.safetensors.index.json',
      'tokenizer.json',
    ]);
    expect(found.missingBytes).toBe(5300);
    expect(hub.requests.some(({ host }) => host === 'cdn')).toBe(false);
  });

  it('takes a folder as it is', async () => {
    const folder = path.join(temporaryFolder(), 'base');
    await mkdir(folder);
    await writeFile(path.join(folder, 'config.json'), '{}');
    expect(await baseForCheck(folder, null, deps())).toEqual({ folder, missingBytes: 0 });
  });

  it('says that a GGUF file cannot be trained from, and that a model is unknown', async () => {
    const gguf = path.join(temporaryFolder(), 'model.gguf');
    await writeFile(gguf, 'GGUF');
    expect((await errorOf(() => baseForCheck(gguf, null, deps()))).code).toBe('OSLER_ERR_MODEL_UNSUITABLE');
    expect((await errorOf(() => baseForCheck('nothing', null, deps()))).code).toBe('OSLER_ERR_MODEL_UNKNOWN');
    expect((await errorOf(() => baseForCheck('owner/nowhere', null, deps()))).code).toBe('OSLER_ERR_HUB_FAILED');
  });
});
