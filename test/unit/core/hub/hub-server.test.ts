import { randomBytes } from 'node:crypto';
import { type ListFileEntry, datasetInfo, downloadFile, fileDownloadInfo, listFiles, modelInfo } from '@huggingface/hub';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HubServer, startHubServer } from '../../../support/hub-server.ts';

// The test server proves itself against the official client alone; only then do our own tests mean something.
describe('the test Hub, read by @huggingface/hub', () => {
  const large = randomBytes(2_000_000);
  const small = Buffer.from('{"a": 1}\n');
  let hub: HubServer;
  let commit: string;

  beforeEach(async () => {
    hub = await startHubServer();
    commit = hub.addCommit('model', 'owner/tiny', {
      'config.json': { content: small },
      'weights/model one.gguf': { content: large, isLarge: true },
      'weights/b/c.txt': { content: small },
    });
  });
  afterEach(() => hub.close());

  it('names the commit of a branch', async () => {
    const info = await modelInfo({ name: 'owner/tiny', revision: 'main', hubUrl: hub.endpoint, additionalFields: ['sha'] });
    expect(info).toMatchObject({ name: 'owner/tiny', sha: commit });
    const other = hub.addCommit('dataset', 'owner/rows', { 'a.jsonl': { content: small } }, 'refs/pr/1');
    expect(await datasetInfo({ name: 'owner/rows', revision: 'refs/pr/1', hubUrl: hub.endpoint, additionalFields: ['sha'] })).toMatchObject(
      { sha: other },
    );
  });

  it('lists every page of files and folders', async () => {
    const entries: ListFileEntry[] = [];
    for await (const entry of listFiles({ repo: 'owner/tiny', revision: commit, recursive: true, hubUrl: hub.endpoint }))
      entries.push(entry);
    expect(entries.map(({ type, path }) => `${type} ${path}`)).toEqual([
      'directory weights',
      'directory weights/b',
      'file config.json',
      'file weights/model one.gguf',
      'file weights/b/c.txt',
    ]);
    expect(entries[3]?.lfs).toMatchObject({ size: large.length });
    expect(hub.requests).toHaveLength(3);
  });

  it('sends small and large files whole and in ranges', async () => {
    const ask = { repo: 'owner/tiny', revision: commit, hubUrl: hub.endpoint, accessToken: 'hf_test' };
    expect(await (await downloadFile({ ...ask, path: 'config.json' }))?.text()).toBe(small.toString());
    const blob = await downloadFile({ ...ask, path: 'weights/model one.gguf' });
    expect(Buffer.from((await blob?.arrayBuffer()) ?? new ArrayBuffer(0)).equals(large)).toBe(true);
    expect(Buffer.from((await blob?.slice(1000, 1100).arrayBuffer()) ?? new ArrayBuffer(0)).equals(large.subarray(1000, 1100))).toBe(true);
    expect(hub.requests.some(({ host }) => host === 'cdn')).toBe(true);
  });

  it('describes a download, and answers null for a file that is not there', async () => {
    const ask = { repo: 'owner/tiny', revision: 'main', hubUrl: hub.endpoint };
    expect(await fileDownloadInfo({ ...ask, path: 'weights/model one.gguf' })).toMatchObject({ size: large.length });
    expect(await fileDownloadInfo({ ...ask, path: 'nothing' })).toBeNull();
  });

  it('refuses unknown repositories, revisions and missing tokens', async () => {
    await expect(modelInfo({ name: 'owner/none', hubUrl: hub.endpoint })).rejects.toMatchObject({ statusCode: 404 });
    await expect(modelInfo({ name: 'owner/tiny', revision: 'none', hubUrl: hub.endpoint })).rejects.toMatchObject({ statusCode: 404 });
    hub.faults.neededToken = 'hf_secret';
    await expect(modelInfo({ name: 'owner/tiny', hubUrl: hub.endpoint })).rejects.toMatchObject({ statusCode: 401 });
    await expect(modelInfo({ name: 'owner/tiny', hubUrl: hub.endpoint, accessToken: 'hf_secret' })).resolves.toBeDefined();
  });
});
