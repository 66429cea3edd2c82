import { randomBytes } from 'node:crypto';
import {
  commit,
  createBranch,
  createRepo,
  deleteBranch,
  deleteFile,
  deleteRepo,
  downloadFile,
  listCommits,
  listFiles,
  modelInfo,
  pathsInfo,
  uploadFiles,
  whoAmI,
} from '@huggingface/hub';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HubServer, startHubServer } from '../../../support/hub-server.ts';

// The test server proves itself against the official client alone, with the client's own fetch; Python's client has a test of its own.
describe('the test Hub, written to by @huggingface/hub', () => {
  const large = randomBytes(2_000_000);
  const card = new Blob(['---\nlicense: mit\n---\n# Tiny\n']);
  let hub: HubServer;

  beforeEach(async () => {
    hub = await startHubServer({ pageSize: 100, largeBytes: 500_000, multipartBytes: 700_000 });
    hub.accounts.set('hf_ann', { name: 'ann', role: 'write', orgs: ['clinic'] });
    hub.accounts.set('hf_reader', { name: 'ben', role: 'read' });
  });
  afterEach(() => hub.close());

  const ask = () => ({ repo: 'ann/tiny', hubUrl: hub.endpoint, accessToken: 'hf_ann', useXet: false });
  const upload = async (files: { path: string; content: Blob }[]) => await uploadFiles({ ...ask(), files, commitTitle: 'add' });
  const paths = async (revision = 'main'): Promise<string[]> =>
    (await Array.fromAsync(listFiles({ ...ask(), revision, recursive: true })))
      .filter(({ type }) => type === 'file')
      .map(({ path }) => path);

  it('says whose a token is', async () => {
    const me = await whoAmI(ask());
    expect(me).toMatchObject({ type: 'user', name: 'ann', auth: { accessToken: { role: 'write' } } });
    await expect(whoAmI({ ...ask(), accessToken: 'hf_nobody' })).rejects.toMatchObject({ statusCode: 401 });
  });

  it('makes and deletes private repositories, of an organisation too, and hides them from others', async () => {
    await createRepo({ ...ask(), visibility: 'private' });
    await createRepo({ ...ask(), repo: 'clinic/tiny', visibility: 'public' });
    expect(await modelInfo({ name: 'ann/tiny', hubUrl: hub.endpoint, accessToken: 'hf_ann' })).toMatchObject({ private: true });
    await expect(modelInfo({ name: 'ann/tiny', hubUrl: hub.endpoint })).rejects.toMatchObject({ statusCode: 401 });
    await expect(modelInfo({ name: 'ann/tiny', hubUrl: hub.endpoint, accessToken: 'hf_reader' })).rejects.toMatchObject({
      statusCode: 404,
    });
    await expect(createRepo({ ...ask(), visibility: 'private' })).rejects.toMatchObject({ statusCode: 409 });
    await expect(createRepo({ ...ask(), repo: 'other/tiny' })).rejects.toMatchObject({ statusCode: 403 });
    await expect(createRepo({ ...ask(), repo: 'ben/tiny', accessToken: 'hf_reader' })).rejects.toMatchObject({ statusCode: 403 });
    await deleteRepo(ask());
    await expect(modelInfo({ name: 'ann/tiny', hubUrl: hub.endpoint, accessToken: 'hf_ann' })).rejects.toMatchObject({ statusCode: 404 });
  });

  it('takes small files in the commit and large ones whole or in parts, and gives them back', async () => {
    await createRepo({ ...ask(), visibility: 'private' });
    const sent = await upload([
      { path: 'README.md', content: card },
      { path: 'model.safetensors', content: new Blob([large.subarray(0, 600_000)]) },
      { path: 'big.gguf', content: new Blob([large]) },
    ]);
    expect(sent?.commit.oid).toMatch(/^[0-9a-f]{40}$/);
    expect(await paths()).toEqual(['.gitattributes', 'README.md', 'model.safetensors', 'big.gguf']);
    const [info] = await pathsInfo({ ...ask(), paths: ['big.gguf', 'nothing'] });
    expect(info).toMatchObject({ path: 'big.gguf', lfs: { size: large.length } });
    const blob = await downloadFile({ ...ask(), path: 'big.gguf', xet: false });
    expect(Buffer.from((await blob?.arrayBuffer()) ?? new ArrayBuffer(0)).equals(large)).toBe(true);
    expect(
      Buffer.from((await blob?.slice(699_990, 700_010).arrayBuffer()) ?? new ArrayBuffer(0)).equals(large.subarray(699_990, 700_010)),
    ).toBe(true);
    expect(hub.requests.filter(({ host, method }) => host === 'cdn' && method === 'PUT')).toHaveLength(4);
    expect(
      hub.requests
        .filter(({ host }) => host === 'cdn')
        .every(({ authorization }) => authorization === undefined || authorization === 'Bearer hf_ann'),
    ).toBe(true);
  });

  it('asks for no large file twice', async () => {
    await createRepo(ask());
    await upload([{ path: 'a.gguf', content: new Blob([large]) }]);
    const before = hub.requests.length;
    await upload([{ path: 'b.gguf', content: new Blob([large]) }]);
    expect(hub.requests.slice(before).filter(({ method }) => method === 'PUT')).toEqual([]);
    expect(await paths()).toContain('b.gguf');
  });

  it('keeps branches apart, names commits, and deletes files and branches', async () => {
    await createRepo(ask());
    await createBranch({ ...ask(), branch: 'trial' });
    await uploadFiles({ ...ask(), branch: 'trial', files: [{ path: 'a.txt', content: new Blob(['a']) }], commitTitle: 'on a branch' });
    expect(await paths('trial')).toContain('a.txt');
    expect(await paths()).not.toContain('a.txt');
    const titles = (await Array.fromAsync(listCommits({ ...ask(), revision: 'main' }))).map(({ title }) => title);
    expect(titles).toEqual(['initial commit']);
    await deleteFile({ ...ask(), branch: 'trial', path: 'a.txt' });
    expect(await paths('trial')).toEqual(['.gitattributes']);
    await deleteBranch({ ...ask(), branch: 'trial' });
    await expect(paths('trial')).rejects.toMatchObject({ statusCode: 404 });
  });

  it('refuses a parent that is no longer the newest, broken front matter, and a full account', async () => {
    await createRepo(ask());
    const { sha } = await modelInfo({ name: 'ann/tiny', hubUrl: hub.endpoint, accessToken: 'hf_ann', additionalFields: ['sha'] });
    await upload([{ path: 'a.txt', content: new Blob(['a']) }]);
    const late = commit({
      ...ask(),
      title: 'late',
      parentCommit: sha,
      operations: [{ operation: 'addOrUpdate', path: 'b.txt', content: new Blob(['b']) }],
    });
    await expect(late).rejects.toMatchObject({ statusCode: 412 });
    await expect(upload([{ path: 'README.md', content: new Blob(['---\nlicense: my own\n---\n']) }])).rejects.toMatchObject({
      statusCode: 400,
    });
    hub.faults.quotaBytes = 1_000_000;
    await expect(upload([{ path: 'big.gguf', content: new Blob([large]) }])).rejects.toThrow('storage limit');
    expect(await paths()).toEqual(['.gitattributes', 'a.txt']);
  });
});
