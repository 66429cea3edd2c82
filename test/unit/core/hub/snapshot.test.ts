import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SnapshotRequest, downloadSnapshot } from '../../../../src/core/hub/snapshot.ts';
import { type HubServer, startHubServer } from '../../../support/hub-server.ts';

const repo = 'owner/tiny';
const large = randomBytes(3_000_000);
const config = Buffer.from('{"hidden_size": 64}\n');
const largePath = 'weights/model one.gguf';
const files = {
  'config.json': { content: config },
  [largePath]: { content: large, isLarge: true },
  'empty.txt': { content: Buffer.alloc(0) },
};

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

describe('downloadSnapshot', () => {
  let hub: HubServer;
  let cacheDir: string;
  let commit: string;
  let children: ChildProcess[];

  beforeEach(async () => {
    hub = await startHubServer();
    cacheDir = await mkdtemp(path.join(os.tmpdir(), 'osler-hub-'));
    commit = hub.addCommit('model', repo, files);
    children = [];
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await hub.close();
    await rm(cacheDir, { recursive: true, force: true });
  });

  const fetchAll = (changes: Partial<SnapshotRequest> = {}): ReturnType<typeof downloadSnapshot> =>
    downloadSnapshot({
      endpoint: hub.endpoint,
      token: null,
      repo,
      type: 'model',
      revision: 'main',
      cacheDir,
      select: () => true,
      timing: { firstPauseMs: 5, idleTimeoutMs: 500 },
      ...changes,
    });
  const errorOf = async (changes: Partial<SnapshotRequest> = {}): Promise<Error & { code?: string }> =>
    await fetchAll(changes).then(
      () => expect.fail('it should have failed'),
      (error: Error) => error,
    );
  const filesOnDisk = async (): Promise<string[]> =>
    (await readdir(cacheDir, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(cacheDir, path.join(entry.parentPath, entry.name)));
  const folder = (): string => path.join(cacheDir, 'models', repo, commit);
  const partPath = (): string => path.join(cacheDir, 'models', repo, '.osler-parts', `${sha256(large)}.part`);
  const startChild = (): ChildProcess => {
    const child = spawn(
      process.execPath,
      [path.join(import.meta.dirname, '../../../support/hub-download-child.ts'), hub.endpoint, repo, cacheDir],
      { stdio: 'ignore' },
    );
    children.push(child);
    return child;
  };
  const fileRequests = (): typeof hub.requests => hub.requests.filter(({ host, url }) => host === 'cdn' || url.includes('/resolve/'));
  const cdnRequests = (): typeof hub.requests => hub.requests.filter(({ host }) => host === 'cdn');

  describe('fetching', () => {
    it('writes the verified files under the commit that the branch means', async () => {
      const snapshot = await fetchAll();
      expect(snapshot).toEqual({
        directory: folder(),
        commit,
        files: [
          { path: 'config.json', bytes: config.length, sha256: sha256(config) },
          { path: largePath, bytes: large.length, sha256: sha256(large) },
          { path: 'empty.txt', bytes: 0, sha256: sha256(Buffer.alloc(0)) },
        ],
      });
      for (const [name, { content }] of Object.entries(files))
        expect((await readFile(path.join(snapshot.directory, name))).equals(content)).toBe(true);
      expect((await filesOnDisk()).filter((name) => name.endsWith('.part'))).toEqual([]);
    });

    it('fetches only what is selected, and tells the size beforehand', async () => {
      const seen: [string, number][] = [];
      const snapshot = await fetchAll({ select: (name, bytes) => (seen.push([name, bytes]), name.endsWith('.json')) });
      expect(snapshot.files.map(({ path: name }) => name)).toEqual(['config.json']);
      expect(seen).toContainEqual([largePath, large.length]);
      expect(cdnRequests()).toEqual([]);
    });

    it('reads data sets from their own place', async () => {
      const id = hub.addCommit('dataset', repo, { 'rows.jsonl': { content: config } }, 'refs/pr/1');
      const snapshot = await fetchAll({ type: 'dataset', revision: 'refs/pr/1' });
      expect(snapshot.directory).toBe(path.join(cacheDir, 'datasets', repo, id));
      expect(existsSync(path.join(snapshot.directory, 'rows.jsonl'))).toBe(true);
    });

    it('follows a branch to its new commit and keeps the old one', async () => {
      await fetchAll();
      const next = hub.addCommit('model', repo, { ...files, 'config.json': { content: Buffer.from('{}') } });
      expect((await fetchAll()).commit).toBe(next);
      expect((await readFile(path.join(folder(), 'config.json'))).equals(config)).toBe(true);
    });

    it('reports progress that rises to the total', async () => {
      const seen: number[] = [];
      await fetchAll({ onProgress: ({ doneBytes, totalBytes }) => seen.push(doneBytes / totalBytes) });
      expect(seen.toSorted((a, b) => a - b)).toEqual(seen);
      expect(seen.at(-1)).toBe(1);
      expect(seen.length).toBeGreaterThan(5);
    });
  });

  describe('what is already here', () => {
    it('needs no network for a full commit id', async () => {
      const first = await fetchAll();
      await hub.close();
      expect(await fetchAll({ revision: commit })).toEqual(first);
    });

    it('fetches nothing again for a branch that has not moved', async () => {
      await fetchAll();
      hub.requests.length = 0;
      await fetchAll();
      expect(hub.requests.map(({ url }) => url.split('?', 1)[0])).toEqual([`/api/models/${repo}/revision/main`]);
    });

    it('fetches one more file of a commit that was fetched in part', async () => {
      await fetchAll({ revision: commit, select: (name) => name === 'config.json' });
      hub.requests.length = 0;
      await fetchAll({ revision: commit });
      expect(fileRequests().map(({ url }) => url.includes('config.json'))).toEqual([false, false]);
    });

    it.each(['config.json', 'empty.txt'])('fetches "%s" again once it was deleted', async (name) => {
      await fetchAll();
      await rm(path.join(folder(), name));
      await fetchAll({ revision: commit });
      expect(existsSync(path.join(folder(), name))).toBe(true);
    });

    it('fetches a file again that became shorter', async () => {
      await fetchAll();
      await truncate(path.join(folder(), largePath), 1000);
      await fetchAll({ revision: commit });
      expect((await readFile(path.join(folder(), largePath))).equals(large)).toBe(true);
    });

    it.each(['{"version": 1', '{"version": 1, "files": []}'])(
      'does without a damaged manifest (%s), reading the files instead of fetching them',
      async (text) => {
        await fetchAll();
        await writeFile(path.join(folder(), '.osler-snapshot.json'), text);
        hub.requests.length = 0;
        await fetchAll({ revision: commit });
        expect(fileRequests()).toEqual([]);
      },
    );

    it('does not take a file for verified that only has the right size', async () => {
      await fetchAll({ select: (name) => name === 'config.json' });
      await rm(path.join(folder(), '.osler-snapshot.json'));
      await writeFile(path.join(folder(), 'config.json'), Buffer.alloc(config.length, 'x'));
      await fetchAll({ revision: commit });
      expect((await readFile(path.join(folder(), 'config.json'))).equals(config)).toBe(true);
    });

    it('lets two calls for one repository share one download', async () => {
      const [first, second] = await Promise.all([fetchAll(), fetchAll()]);
      expect(second).toEqual(first);
      expect(cdnRequests()).toHaveLength(1);
    });
  });

  describe('interruption', () => {
    it('goes on by range in a new process after kill -9', async () => {
      hub.faults.break = { how: 'stall', path: largePath, afterBytes: 2_000_000, times: 1 };
      const child = startChild();
      await expect.poll(async () => (await stat(partPath()).catch(() => undefined))?.size, { timeout: 15_000 }).toBe(2_000_000);
      expect(existsSync(path.join(folder(), largePath))).toBe(false);
      child.kill('SIGKILL');
      await once(child, 'exit');

      await fetchAll();
      expect((await readFile(path.join(folder(), largePath))).equals(large)).toBe(true);
      expect(cdnRequests().map(({ range }) => range)).toEqual([undefined, 'bytes=2000000-']);
      expect(cdnRequests().reduce((sum, { sentBytes }) => sum + sentBytes, 0)).toBe(large.length);
    });

    it('goes on by range when the connection is cut, more often than the retries allow for one place', async () => {
      hub.faults.break = { how: 'cut', path: largePath, afterBytes: 1_200_000, times: 2 };
      await fetchAll({ timing: { firstPauseMs: 5, retries: 1 } });
      expect((await readFile(path.join(folder(), largePath))).equals(large)).toBe(true);
      expect(cdnRequests()).toHaveLength(3);
      expect(cdnRequests().reduce((sum, { sentBytes }) => sum + sentBytes, 0)).toBeLessThan(large.length * 1.2);
    });

    it('takes silence for a lost connection', async () => {
      hub.faults.break = { how: 'stall', path: largePath, afterBytes: 1_000_000, times: 1 };
      await fetchAll();
      expect(cdnRequests().map(({ range }) => range)).toEqual([undefined, 'bytes=1000000-']);
    });

    it('starts the file anew where the server ignores the range', async () => {
      hub.faults.break = { how: 'cut', path: largePath, afterBytes: 1_000_000, times: 1 };
      hub.faults.ignoresRange = true;
      await fetchAll();
      expect((await readFile(path.join(folder(), largePath))).equals(large)).toBe(true);
      expect(cdnRequests().map(({ status }) => status)).toEqual([200, 200]);
    });

    it.each([416, 200])('throws away a part that the server cannot go on from (%s)', async (status) => {
      hub.faults.break = { how: 'stall', path: largePath, afterBytes: 1_000_000, times: 1 };
      await errorOf({ timing: { retries: 0, idleTimeoutMs: 200 } });
      if (status === 200) await writeFile(partPath(), Buffer.alloc(large.length + 1));
      else hub.faults.refuse = { host: 'cdn', pattern: /./, status, times: 1 };
      await fetchAll();
      expect((await readFile(path.join(folder(), largePath))).equals(large)).toBe(true);
      expect(cdnRequests().at(-1)?.range).toBeUndefined();
    });

    it('lets a second process wait, and take over when the first is killed', async () => {
      hub.faults.break = { how: 'stall', path: largePath, afterBytes: 1_000_000, times: 1 };
      const child = startChild();
      await expect.poll(async () => (await stat(partPath()).catch(() => undefined))?.size, { timeout: 15_000 }).toBe(1_000_000);
      const waiting = fetchAll();
      await pause(400);
      expect(cdnRequests()).toHaveLength(1);
      child.kill('SIGKILL');
      await waiting;
      expect(cdnRequests().map(({ range }) => range)).toEqual([undefined, 'bytes=1000000-']);
    });

    it('stops at the signal, keeps the part and goes on from it', async () => {
      hub.faults.break = { how: 'stall', path: largePath, afterBytes: 1_000_000, times: 1 };
      const controller = new AbortController();
      const error = await errorOf({
        signal: controller.signal,
        timing: { idleTimeoutMs: 60_000 },
        onProgress: ({ doneBytes }) => void (doneBytes >= 1_000_000 && controller.abort()),
      });
      expect(error.code).toBe('OSLER_ERR_INTERRUPTED');
      await fetchAll();
      expect(cdnRequests().at(-1)?.range).toMatch(/^bytes=\d{6,7}-$/);
    });

    it('gives up a pause at the signal', async () => {
      hub.faults.refuse = { host: 'hub', pattern: /revision/, status: 503, times: 99 };
      const signal = AbortSignal.timeout(100);
      const startedMs = performance.now();
      expect((await errorOf({ signal, timing: { firstPauseMs: 30_000 } })).code).toBe('OSLER_ERR_INTERRUPTED');
      expect(performance.now() - startedMs).toBeLessThan(5000);
    });
  });

  describe('checksums', () => {
    it.each(['config.json', largePath])('removes "%s" with wrong bytes and says so', async (name) => {
      hub.faults.wrongBytes.add(name);
      const error = await errorOf({ select: (candidate) => candidate === name });
      expect(error).toMatchObject({ code: 'OSLER_ERR_HUB_CHECKSUM' });
      expect(error.message).toContain(name);
      expect((await filesOnDisk()).filter((file) => !/\.osler-(snapshot\.json|lock)$/.test(file))).toEqual([]);
      hub.faults.wrongBytes.clear();
      await expect(fetchAll()).resolves.toMatchObject({ commit });
    });

    it('finds wrong bytes also in the part of an earlier process', async () => {
      hub.faults.break = { how: 'stall', path: largePath, afterBytes: 1_000_000, times: 1 };
      await errorOf({ timing: { retries: 0, idleTimeoutMs: 200 } });
      await writeFile(partPath(), Buffer.alloc(1_000_000));
      expect((await errorOf()).code).toBe('OSLER_ERR_HUB_CHECKSUM');
      expect(existsSync(partPath())).toBe(false);
    });
  });

  describe('an unwilling Hub', () => {
    it.each(['revision', 'tree', 'resolve'])('tries again after 503 (%s)', async (place) => {
      hub.faults.refuse = { host: 'hub', pattern: new RegExp(`/${place}/`), status: 503, times: 3 };
      await expect(fetchAll()).resolves.toMatchObject({ commit });
    });

    it('asks for a fresh link when the CDN refuses an old one', async () => {
      hub.faults.refuse = { host: 'cdn', pattern: /./, status: 403, times: 1 };
      await expect(fetchAll()).resolves.toMatchObject({ commit });
    });

    it('gives up after the retries', async () => {
      hub.faults.refuse = { host: 'hub', pattern: /revision/, status: 503, times: 99 };
      const error = await errorOf({ timing: { firstPauseMs: 1 } });
      expect(error).toMatchObject({ code: 'OSLER_ERR_HUB_FAILED' });
      expect(error.message).toContain('503 (tried 6 times)');
      expect(hub.requests).toHaveLength(6);
    });

    it('waits as long as 429 asks', async () => {
      hub.faults.refuse = { host: 'hub', pattern: /revision/, status: 429, times: 1, headers: { 'retry-after': '1' } };
      const startedMs = performance.now();
      await fetchAll();
      expect(performance.now() - startedMs).toBeGreaterThan(950);
    });

    it.each([
      { 'retry-after': '7200' },
      { 'retry-after': new Date(Date.now() + 7_205_000).toUTCString() },
      { ratelimit: '"api";r=0;t=7200' },
    ])('does not wait for hours (%o)', async (headers) => {
      hub.faults.refuse = { host: 'hub', pattern: /revision/, status: 429, times: 1, headers };
      expect((await errorOf()).message).toMatch(/asks to wait 7[12]\d\d s/);
    });

    it('names the cause when nobody answers', async () => {
      await hub.close();
      const error = await errorOf({ timing: { firstPauseMs: 1 } });
      expect(error).toMatchObject({ code: 'OSLER_ERR_HUB_FAILED' });
      expect(error.message).toContain('ECONNREFUSED');
    });

    it('says HF_TOKEN to who has none, and the page of tokens', async () => {
      hub.faults.neededToken = 'hf_right';
      const error = await errorOf();
      expect(error.message).toMatch(/"owner\/tiny".*set HF_TOKEN.*\/settings\/tokens/);
      expect(hub.requests).toHaveLength(1);
    });

    it('says that the token is not accepted, without showing it', async () => {
      hub.faults.neededToken = 'hf_right';
      const error = await errorOf({ token: 'hf_wrong' });
      expect(error.message).toContain('does not accept your HF_TOKEN');
      expect(JSON.stringify([error.message, error.stack])).not.toContain('hf_wrong');
    });

    it.each([
      [403, 'GatedRepo', /Accept the licence on http.*\/owner\/tiny/],
      [401, 'GatedRepo', /Accept the licence on/],
      [404, 'RepoNotFound', /no such model \(404\)\. Check the name/],
      [404, 'RevisionNotFound', /no revision "main"/],
    ])('says what to do after %s %s', async (status, code, advice) => {
      hub.faults.refuse = { host: 'hub', pattern: /./, status, times: 1, headers: { 'x-error-code': code } };
      const error = await errorOf();
      expect(error).toMatchObject({ code: 'OSLER_ERR_HUB_FAILED' });
      expect(error.message).toMatch(advice);
    });
  });

  describe('safety', () => {
    it('sends the token to the Hub and not to the CDN, and writes it nowhere', async () => {
      hub.faults.neededToken = 'hf_right';
      await fetchAll({ token: 'hf_right' });
      expect(new Set(hub.requests.filter(({ host }) => host === 'hub').map(({ authorization }) => authorization))).toEqual(
        new Set(['Bearer hf_right']),
      );
      expect(cdnRequests().map(({ authorization }) => authorization)).toEqual([undefined]);
      for (const file of await filesOnDisk()) expect((await readFile(path.join(cacheDir, file))).includes('hf_right')).toBe(false);
    });

    it('sends no token where a link to the next page leads elsewhere', async () => {
      hub.faults.neededToken = 'hf_right';
      hub.faults.linkOrigin = hub.cdnEndpoint;
      await errorOf({ token: 'hf_right', timing: { retries: 0 } });
      expect(cdnRequests().map(({ authorization }) => authorization)).toEqual([undefined]);
    });

    it.each(['hf_a\nb', 'hf a'])('refuses the token %j without showing it', async (token) => {
      const error = await errorOf({ token });
      expect(error).toMatchObject({ code: 'OSLER_ERR_HUB_FAILED' });
      expect(error.message).not.toContain(token);
      expect(hub.requests).toEqual([]);
    });

    it('refuses an address with a password without showing it', async () => {
      const error = await errorOf({ endpoint: hub.endpoint.replace('//', '//user:hidden@') });
      expect(error.message).toContain('HF_ENDPOINT');
      expect(error.message).not.toContain('hidden');
    });

    it.each(['../outside.txt', '/etc/outside', 'a/../../outside', 'a\\..\\outside', '.osler-snapshot.json', '.OSLER-snapshot.json/x'])(
      'refuses a listing with "%s" and writes no file',
      async (name) => {
        hub.faults.extraEntries.push({ type: 'file', path: name, size: 3, oid: 'a'.repeat(40) });
        const error = await errorOf();
        expect(error).toMatchObject({ code: 'OSLER_ERR_HUB_FAILED' });
        expect((await filesOnDisk()).map((file) => path.basename(file))).toEqual(['.osler-lock']);
        expect(fileRequests()).toEqual([]);
      },
    );

    it('refuses a listing whose checksum is none', async () => {
      hub.faults.extraEntries.push({ type: 'file', path: 'a', size: 3, oid: '../../x' });
      expect((await errorOf()).message).toContain('checksum.hex');
    });

    it.each(['../x', 'owner', 'owner/tiny@main', 'owner/..'])('refuses the name "%s" before any request', async (name) => {
      expect((await errorOf({ repo: name })).code).toBe('OSLER_ERR_HUB_FAILED');
      expect(hub.requests).toEqual([]);
    });

    it('refuses what the disk cannot hold before fetching any of it', async () => {
      hub.faults.extraEntries.push({
        type: 'file',
        path: 'huge.gguf',
        size: 134,
        oid: 'a'.repeat(40),
        lfs: { oid: 'b'.repeat(64), size: 2 ** 50, pointerSize: 134 },
      });
      const error = await errorOf();
      expect(error).toMatchObject({ code: 'OSLER_ERR_DISK_FULL' });
      expect(error.message).toContain('1125899.9');
      expect(fileRequests()).toEqual([]);
    });

    it('says what is wrong when the address is no Hub', async () => {
      hub.faults.refuse = { host: 'hub', pattern: /./, status: 200, times: 1 };
      expect((await errorOf()).message).toContain('does not answer like the Hub');
    });
  });
});
