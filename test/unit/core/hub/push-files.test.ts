import { randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { rm, utimes } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { UploadProgress } from '../../../../src/core/hub/commit-files.ts';
import { sha256 } from '../../../../src/core/digest.ts';
import { packageRoot } from '../../../../src/core/package-root.ts';
import { type PushFile, pushFiles, type PushOutcome, type PushRequest } from '../../../../src/core/hub/push-files.ts';
import { errorOf } from '../../../support/error-of.ts';
import { type HubServer, startHubServer } from '../../../support/hub-server.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const token = 'hf_ann_secret_token';
const repo = 'ann/tiny';

describe('pushFiles', () => {
  let hub: HubServer;
  let folder: string;
  let weights: string;
  let config: string;

  beforeEach(async () => {
    hub = await startHubServer({ pageSize: 100, largeBytes: 500_000, multipartBytes: 400_000 });
    hub.accounts.set(token, { name: 'ann', role: 'write', orgs: ['clinic'] });
    hub.accounts.set('hf_reader', { name: 'ben', role: 'read' });
    folder = temporaryFolder();
    weights = path.join(folder, 'model.safetensors');
    config = path.join(folder, 'config.json');
    writeFileSync(weights, randomBytes(1_000_000));
    writeFileSync(config, '{"hidden_size": 64}\n');
  });
  afterEach(() => hub.close());

  const card = (text = '# Tiny'): PushFile => ({ path: 'README.md', content: { text: `---\nlicense: mit\n---\n${text}\n` } });
  const file = (name: string, from: string, digest: string | null = null): PushFile => ({
    path: name,
    content: { file: from, sha256: digest },
  });
  const all = (): PushFile[] => [card(), file('config.json', config), file('model.safetensors', weights)];
  const push = async (changes: Partial<PushRequest> = {}, files = all()): Promise<PushOutcome> =>
    await pushFiles({
      endpoint: hub.endpoint,
      token,
      repo,
      revision: 'main',
      visibility: 'private',
      run: 'run-1',
      title: 'Push run-1',
      files: async () => files,
      isDryRun: false,
      timing: { firstPauseMs: 5, idleTimeoutMs: 5000 },
      ...changes,
    });
  const pathsOn = (branch = 'main'): string[] => Object.keys(hub.files(repo, branch)).toSorted();
  const puts = () => hub.requests.filter(({ method, status }) => method === 'PUT' && status === 200);
  const everything = ['.gitattributes', 'README.md', 'config.json', 'model.safetensors', 'osler.json'];

  describe('a push', () => {
    it('makes a private repository with all files in one commit, and lists them with their checksums', async () => {
      const outcome = await push();
      expect(hub.repository('model', repo)).toMatchObject({ isPrivate: true, log: [{ title: 'initial commit' }, { title: 'Push run-1' }] });
      expect(outcome).toMatchObject({ repo, revision: 'main', url: `${hub.endpoint}/${repo}`, deleted: [], kept: [], replacedRun: null });
      expect(outcome.commit).toBe(hub.repository('model', repo)?.branches.get('main'));
      expect(pathsOn()).toEqual(everything);
      const held = hub.files(repo)['model.safetensors']?.content ?? Buffer.alloc(0);
      const manifest: unknown = JSON.parse(String(hub.files(repo)['osler.json']?.content));
      expect(manifest).toMatchObject({
        run: 'run-1',
        files: expect.arrayContaining([expect.objectContaining({ path: 'model.safetensors', bytes: 1_000_000, sha256: sha256(held) })]),
      });
    });

    it('makes a public one only where it is asked to', async () => {
      await push({ visibility: 'public' });
      expect(hub.repository('model', repo)).toMatchObject({ isPrivate: false });
    });

    it('goes to an organisation, and to a branch that it makes', async () => {
      await push({ repo: 'clinic/tiny', revision: 'trial/one' });
      expect(Object.keys(hub.files('clinic/tiny', 'trial/one')).toSorted()).toEqual(everything);
      expect(Object.keys(hub.files('clinic/tiny'))).toEqual(['.gitattributes']);
    });

    it('tells how far it is, up to the last byte', async () => {
      const seen: UploadProgress[] = [];
      await push({ onProgress: (progress) => seen.push(progress) });
      const total = seen.at(-1)?.totalBytes ?? 0;
      expect(total).toBeGreaterThan(1_000_000);
      expect(seen.filter(({ phase }) => phase === 'uploading').some(({ doneBytes }) => doneBytes > 0 && doneBytes < total)).toBe(true);
      expect(seen.at(-1)).toMatchObject({ phase: 'committing', doneBytes: total });
    });

    it('in a dry run says what it would do and changes nothing', async () => {
      const outcome = await push({ isDryRun: true });
      expect(outcome).toMatchObject({ commit: null, isNew: true });
      expect(outcome.sent.map(({ path: name }) => name)).toEqual(['README.md', 'config.json', 'model.safetensors', 'osler.json']);
      expect(hub.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
      expect(await push({ isDryRun: true, token: null })).toMatchObject({ commit: null });
    });
  });

  describe('a second push', () => {
    it('of the same files sends nothing and makes no commit', async () => {
      const first = await push();
      const before = puts().length;
      const second = await push();
      expect(second).toMatchObject({
        commit: first.commit,
        sent: [],
        kept: ['README.md', 'config.json', 'model.safetensors', 'osler.json'],
      });
      expect(puts()).toHaveLength(before);
      expect(hub.repository('model', repo)?.log).toHaveLength(2);
    });

    it('of one file more sends that one, and keeps what the same run pushed before', async () => {
      await push();
      const gguf = path.join(folder, 'tiny.gguf');
      writeFileSync(gguf, randomBytes(1000));
      let former: string[] = [];
      const outcome = await push({
        files: async (manifest) => {
          former = manifest?.files.map((entry) => entry.path) ?? [];
          return [card('# Two'), file('tiny-Q8_0.gguf', gguf)];
        },
      });
      expect(former).toEqual(['README.md', 'config.json', 'model.safetensors']);
      expect(outcome.sent.map(({ path: name }) => name)).toEqual(['README.md', 'tiny-Q8_0.gguf', 'osler.json']);
      expect(outcome.deleted).toEqual([]);
      expect(pathsOn()).toEqual([...everything, 'tiny-Q8_0.gguf'].toSorted());
      expect(String(hub.files(repo)['osler.json']?.content)).toContain('model.safetensors');
    });

    it('of another run takes the place of the first, so that no two models lie in one repository', async () => {
      await push();
      const outcome = await push({ run: 'run-2' }, [card('# Other'), file('adapter/adapter_model.safetensors', weights)]);
      expect(outcome).toMatchObject({ replacedRun: 'run-1', deleted: ['config.json', 'model.safetensors'] });
      expect(pathsOn()).toEqual(['.gitattributes', 'README.md', 'adapter/adapter_model.safetensors', 'osler.json']);
    });

    it('leaves files of others alone, and overwrites none of them', async () => {
      await push();
      hub.addCommit('model', repo, { ...hub.files(repo), 'notes.md': { content: Buffer.from('mine') } });
      await push({ run: 'run-2' }, [card('# Other')]);
      expect(pathsOn()).toEqual(['.gitattributes', 'README.md', 'notes.md', 'osler.json']);
      const error = await errorOf(() => push({ run: 'run-2' }, [card('# Third'), { path: 'notes.md', content: { text: 'ours' } }]));
      expect(error).toMatchObject({ code: 'OSLER_ERR_HUB_PUSH_REFUSED' });
      expect(error.message).toContain('notes.md');
      expect(String(hub.files(repo)['notes.md']?.content)).toBe('mine');
    });

    it('overwrites no card that was edited there since, and lists nothing that was removed there', async () => {
      await push();
      hub.addCommit('model', repo, { ...hub.files(repo), 'README.md': { content: Buffer.from('my own card') } });
      const error = await errorOf(() => push({}, [card('# Two'), ...all().slice(1)]));
      expect(error.message).toContain('changed there since, and this one would overwrite them: README.md');
      expect(String(hub.files(repo)['README.md']?.content)).toBe('my own card');
      const { 'README.md': _card, 'model.safetensors': _weights, ...rest } = hub.files(repo);
      hub.addCommit('model', repo, rest);
      await push({}, [card('# Two')]);
      const manifest = JSON.parse(String(hub.files(repo)['osler.json']?.content)) as { files: { path: string }[] };
      expect(manifest.files.map((entry) => entry.path)).toEqual(['README.md', 'config.json']);
    });
  });

  describe('who may see it', () => {
    it('refuses a repository that is public where private was asked, before anything is sent', async () => {
      hub.addCommit('model', repo, { 'a.txt': { content: Buffer.from('a') } });
      const error = await errorOf(() => push());
      expect(error).toMatchObject({ code: 'OSLER_ERR_HUB_PUSH_REFUSED', statusCode: 409 });
      expect(error.message).toContain('it is public');
      expect(error.message).toContain('--public');
      expect((await errorOf(() => push({ isDryRun: true }))).message).toContain('it is public');
      expect(hub.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
    });

    it('never makes a private repository public', async () => {
      await push();
      expect((await errorOf(() => push({ visibility: 'public' }))).message).toContain('it is private');
      expect(hub.repository('model', repo)).toMatchObject({ isPrivate: true });
    });
  });

  describe('refusals', () => {
    it('says that a token is needed, wrong, or without the right to write', async () => {
      expect((await errorOf(() => push({ token: 'hf_wrong_one' }))).message).toMatch(/does not accept your HF_TOKEN \(401\)/);
      const reader = await errorOf(() => push({ token: 'hf_reader', repo: 'ben/tiny' }));
      expect(reader).toMatchObject({ code: 'OSLER_ERR_HUB_PUSH' });
      expect(reader.message).toContain('you must use a write token');
      expect((await errorOf(() => push({ repo: 'other/tiny' }))).message).toContain("don't have the rights");
    });

    it('says that a name is taken by something else', async () => {
      hub.addCommit('dataset', repo, { 'a.txt': { content: Buffer.from('a') } });
      hub.faults.hasOneNamespace = true;
      expect((await errorOf(() => push())).message).toContain('the name is taken, and not by a model repository');
    });

    it('takes no commit for a branch', async () => {
      expect((await errorOf(() => push({ revision: 'a'.repeat(40) }))).message).toContain('a commit cannot be added to');
    });

    it('passes on what the Hub says of a full account, and asks to wait where it does', async () => {
      hub.faults.quotaBytes = 500_000;
      const full = await errorOf(() => push());
      expect(full.message).toContain('Private repository storage limit reached');
      expect(pathsOn()).toEqual(['.gitattributes']);
      hub.faults.quotaBytes = null;
      hub.faults.refuse = { host: 'hub', pattern: /\/commit\//, status: 413, times: 1, message: '{"error": "Payload too large"}' };
      expect((await errorOf(() => push())).message).toContain('too large for the Hub (413)');
      hub.faults.refuse = { host: 'hub', pattern: /\/preupload\//, status: 429, times: 99, headers: { 'retry-after': '3600' } };
      expect((await errorOf(() => push())).message).toContain('asks to wait 3600 s');
    });

    it('pushes nothing that is not as the run notes it', async () => {
      const error = await errorOf(() => push({}, [card(), file('model.safetensors', weights, 'a'.repeat(64))]));
      expect(error.message).toContain('is not as it was written');
      expect(pathsOn()).toEqual(['.gitattributes']);
    });

    it('pushes nothing once a file changed between hashing and sending', async () => {
      hub.faults.beforeCommit = () => expect.fail('it must not come to a commit');
      let isChanged = false;
      const error = await errorOf(() =>
        push({
          onProgress: ({ phase, doneBytes }) => {
            if (phase !== 'uploading' || doneBytes === 0 || isChanged) return;
            isChanged = true;
            appendFileSync(weights, 'more');
          },
        }),
      );
      expect(error).toMatchObject({ code: 'OSLER_ERR_HUB_PUSH_REFUSED' });
      expect(error.message).toContain('changed while it was read');
    });

    it('notices a file that was rewritten with the same length', async () => {
      let isChanged = false;
      const error = await errorOf(() =>
        push({
          onProgress: ({ phase }) => {
            if (phase !== 'uploading' || isChanged) return;
            isChanged = true;
            writeFileSync(weights, randomBytes(1_000_000));
            void utimes(weights, 1, 1);
          },
        }),
      );
      expect(error.message).toContain('changed while it was read');
    });

    it('notices a file that went away', async () => {
      const error = await errorOf(() => push({ files: async () => (await rm(weights), all()) }));
      expect(error.message).toContain('model.safetensors');
    });
  });

  describe('faults on the way', () => {
    it('sends a part again after a cut and after 500, 503 and 429 with Retry-After', async () => {
      hub.faults.breakUpload = { afterBytes: 100_000, times: 2 };
      await push();
      expect(pathsOn()).toEqual(everything);
      for (const [pattern, host] of [
        [/\/upload\//, 'cdn'],
        [/\/preupload\//, 'hub'],
        [/\/batch$/, 'hub'],
        [/\/commit\//, 'hub'],
        [/complete_multipart/, 'hub'],
        [/whoami|revision\/main/, 'hub'],
      ] as const) {
        writeFileSync(weights, randomBytes(1_000_000));
        hub.faults.refuse = { host, pattern, status: 503, times: 2, headers: { 'retry-after': '0' } };
        await push();
        expect(hub.faults.refuse.times, String(pattern)).toBe(0);
      }
    });

    it('asks for new links where the storage takes the old ones no more', async () => {
      hub.faults.refuse = { host: 'cdn', pattern: /\/upload\//, status: 403, times: 1, message: '<Error>Request has expired</Error>' };
      await push();
      expect(pathsOn()).toEqual(everything);
      hub.faults.refuse = { host: 'cdn', pattern: /\/upload\//, status: 403, times: 99 };
      writeFileSync(weights, randomBytes(1_000_000));
      expect((await errorOf(() => push())).message).toContain("the Hub's storage answered 403");
    });

    it('goes on after a push that was broken off: files that arrived are not sent again', async () => {
      const other = path.join(folder, 'other.gguf');
      writeFileSync(other, randomBytes(900_000));
      const files = [...all(), file('other.gguf', other)];
      hub.faults.refuse = { host: 'hub', pattern: /\/commit\//, status: 500, times: 99 };
      expect((await errorOf(() => push({ timing: { retries: 1, firstPauseMs: 1 } }, files))).message).toContain('it goes on from there');
      expect(pathsOn()).toEqual(['.gitattributes']);
      const before = puts().length;
      expect(before).toBe(6);
      hub.faults.refuse = null;
      await push({}, files);
      expect(puts()).toHaveLength(before);
      expect(pathsOn()).toEqual([...everything, 'other.gguf'].toSorted());
    });

    it('takes a commit for its own whose answer was lost', async () => {
      hub.faults.losesCommitAnswers = 1;
      const outcome = await push();
      expect(outcome.commit).toBe(hub.repository('model', repo)?.branches.get('main'));
      expect(hub.repository('model', repo)?.log).toHaveLength(2);
    });

    it('refuses to commit over somebody else, and keeps what was sent', async () => {
      hub.faults.beforeCommit = () => {
        hub.faults.beforeCommit = null;
        hub.addCommit('model', repo, { ...hub.files(repo), 'notes.md': { content: Buffer.from('faster') } });
      };
      const error = await errorOf(() => push());
      expect(error).toMatchObject({ code: 'OSLER_ERR_HUB_PUSH_REFUSED', statusCode: 409 });
      expect(error.message).toContain('somebody else committed to "main"');
      const before = puts().length;
      await push();
      expect(puts()).toHaveLength(before);
      expect(pathsOn()).toEqual([...everything, 'notes.md'].toSorted());
    });

    it('stops when it is asked to, and says how to go on', async () => {
      const stop = new AbortController();
      const error = await errorOf(() =>
        push({
          signal: stop.signal,
          onProgress: ({ phase, doneBytes }) => (phase === 'uploading' && doneBytes > 0 ? stop.abort() : undefined),
        }),
      );
      expect(error).toMatchObject({ code: 'OSLER_ERR_INTERRUPTED' });
      expect(error.message).toContain('goes on from there');
      await push();
      expect(pathsOn()).toEqual(everything);
    });

    it('gives up on a Hub that is silent', async () => {
      hub.faults.refuse = { host: 'hub', pattern: /./, status: 200, times: 99, message: 'hello' };
      expect((await errorOf(() => push())).message).toContain('does not answer like the Hub');
      await hub.close();
      expect((await errorOf(() => push({ timing: { retries: 1, firstPauseMs: 1 } }))).message).toContain('the connection failed');
    });
  });

  it('holds no file in memory while it sends it', { timeout: 120_000 }, async () => {
    const big = path.join(folder, 'big.gguf');
    for (let part = 0; part < 30; part += 1) appendFileSync(big, randomBytes(10_000_000));
    const wide = await startHubServer();
    wide.faults.forgetsObjects = true;
    onTestFinished(() => wide.close());
    const push = async (name: string) => {
      const child = path.join(packageRoot, 'test/support/hub-push-child.ts');
      const { stdout } = await execa(process.execPath, [child, wide.endpoint, name], { env: { HF_TOKEN: token } });
      return Number(stdout);
    };
    const small = await push(config);
    const large = await push(big);
    expect(wide.files('ann/child')['big.gguf']).toBeDefined();
    // The file has 300 MB; what is held of it is what is on the way.
    expect(large - small, `${small} bytes resident without it, ${large} with it`).toBeLessThan(120_000_000);
  });

  describe('the token', () => {
    it('goes to the Hub alone, and into no message', async () => {
      await push();
      expect(hub.requests.filter(({ host }) => host === 'hub').every(({ authorization }) => authorization === `Bearer ${token}`)).toBe(
        true,
      );
      expect(hub.requests.filter(({ host, authorization }) => host === 'cdn' && authorization !== undefined)).toEqual([]);
      hub.faults.refuse = {
        host: 'hub',
        pattern: /\/preupload\//,
        status: 400,
        times: 1,
        message: JSON.stringify({ error: `bad ${token}` }),
      };
      writeFileSync(config, '{}');
      const error = await errorOf(() => push());
      expect(error.message).toContain('The Hub says: "bad …');
      expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain(token);
    });
  });
});
