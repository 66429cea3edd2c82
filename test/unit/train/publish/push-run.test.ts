import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256OfFile } from '../../../../src/core/digest.ts';
import { tryLockFolder } from '../../../../src/core/folder-lock.ts';
import { openStore } from '../../../../src/core/store.ts';
import { ModelStore } from '../../../../src/train/model-store.ts';
import { resolveModel } from '../../../../src/train/resolve-model.ts';
import { pushRun, type PushRunOptions, type PushRunOutcome, readParts } from '../../../../src/train/publish/push-run.ts';
import { readPushRecord } from '../../../../src/train/publish/push-record.ts';
import { errorOf } from '../../../support/error-of.ts';
import { type HubServer, startHubServer } from '../../../support/hub-server.ts';
import { makePublishedRun, type PublishedRun } from '../../../support/published-run.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { certificateOf } from '../certificate/certificate-fixture.ts';

const token = 'hf_planted_secret_0123456789';
const base = 'unsloth/DeepSeek-R1-Distill-Llama-8B';
const data = 'FreedomIntelligence/medical-o1-reasoning-SFT';
const name = 'DeepSeek-R1-Medical-COT';
const repo = `ann/${name}`;

describe('pushRun', () => {
  let hub: HubServer;
  let home: string;
  let made: PublishedRun;

  beforeEach(async () => {
    hub = await startHubServer({ pageSize: 100, largeBytes: 10_000 });
    hub.accounts.set(token, { name: 'ann', role: 'write' });
    hub.accounts.set('hf_reader', { name: 'ben', role: 'read' });
    const text = (content: string) => ({ content: Buffer.from(content) });
    const revision = hub.addCommit('model', base, {
      'README.md': text('---\nlicense: llama3.1\n---\n'),
      LICENSE: text('LLAMA 3.1 COMMUNITY LICENSE AGREEMENT'),
      'config.json': text('{}'),
    });
    const dataRevision = hub.addCommit('dataset', data, { 'README.md': text('---\nlicense: apache-2.0\n---\n') });
    home = temporaryFolder();
    made = await makePublishedRun(home, {
      hubEndpoint: hub.endpoint,
      hubToken: token,
      source: {
        base: { ref: base, revision },
        data: { ref: data, revision: dataRevision, sha256: 'e'.repeat(64), trainRows: 500, heldOutRows: 100 },
      },
    });
  });
  afterEach(() => hub.close());

  const push = async (options: Partial<PushRunOptions> = {}, changes: Partial<PublishedRun> = {}): Promise<PushRunOutcome> => {
    const { run, folder, config, clock } = { ...made, ...changes };
    return await pushRun(run, folder, { config, clock }, { visibility: 'private', timing: { retries: 1, firstPauseMs: 1 }, ...options });
  };
  const textOf = (file: string, of = repo): string => String(hub.files(of)[file]?.content);
  const paths = (of = repo): string[] => Object.keys(hub.files(of)).toSorted();

  it('pushes adapter, tokenizer, merged model, GGUF and card to a private repository of the token’s account, each in its place', async () => {
    const outcome = await push();
    expect(outcome).toMatchObject({ repo, visibility: 'private', parts: ['adapter', 'merged', 'gguf'], isNew: false });
    expect(hub.repository('model', repo)).toMatchObject({ isPrivate: true });
    expect(paths()).toEqual([
      '.gitattributes',
      `${name}-Q8_0.gguf`,
      'LICENSE',
      'NOTICE',
      'README.md',
      'adapter/adapter_config.json',
      'adapter/adapter_model.safetensors',
      'adapter/tokenizer.json',
      'chat_template.jinja',
      'config.json',
      'model.safetensors',
      'osler.json',
      'recipe.json',
      'tokenizer.json',
    ]);
    expect(hub.files(repo)['model.safetensors']?.content).toEqual(readFileSync(path.join(made.folder.merged, 'model.safetensors')));
    expect(textOf('LICENSE')).toContain('LLAMA 3.1');
    expect(await readPushRecord(made.folder)).toMatchObject({
      state: 'done',
      repo,
      commit: outcome.commit,
      visibility: 'private',
      error: null,
    });
    expect(await readFile(path.join(made.folder.root, 'card/README.md'), 'utf8')).toBe(textOf('README.md'));
  });

  it('names the base by its Hub id and revision in place of this machine’s paths, which appear nowhere', async () => {
    await push();
    expect(JSON.parse(textOf('adapter/adapter_config.json'))).toMatchObject({
      base_model_name_or_path: base,
      revision: expect.stringMatching(/^[0-9a-f]{40}$/),
      r: 16,
    });
    expect(JSON.parse(textOf('config.json'))).toMatchObject({ _name_or_path: base });
    for (const [file, { content }] of Object.entries(hub.files(repo))) expect(content.includes(home), file).toBe(false);
  });

  it('keeps names of local rows and bases, and not where they lie', async () => {
    const local = await makePublishedRun(temporaryFolder(), {
      hubEndpoint: hub.endpoint,
      hubToken: token,
      set: { 'base.ref': '/srv/secret-place/my-base', 'data.ref': '/srv/secret-place/rows.jsonl', template: '/srv/secret-place/own.jinja' },
      source: {
        base: { ref: '/srv/secret-place/my-base', revision: null },
        data: { ref: '/srv/secret-place/rows.jsonl', revision: null, sha256: 'e'.repeat(64), trainRows: 5, heldOutRows: 1 },
      },
    });
    const outcome = await push({}, local);
    for (const [file, { content }] of Object.entries(hub.files(repo))) expect(content.includes('secret-place'), file).toBe(false);
    expect(textOf('README.md')).toContain('rows.jsonl');
    expect(textOf('README.md')).toContain('license: unknown');
    expect(outcome.notices.join(' ')).toContain('The licence of the base model "my-base" is not known');
  });

  it('pushes to another repository, branch and selection where it is asked to', async () => {
    await push({ repo: 'Llama-3.1-Medical', parts: ['adapter'], revision: 'trial' });
    const files = Object.keys(hub.files('ann/Llama-3.1-Medical', 'trial')).toSorted();
    expect(files).toContain('adapter/adapter_model.safetensors');
    expect(files).not.toContain('model.safetensors');
    expect(String(hub.files('ann/Llama-3.1-Medical', 'trial')['README.md']?.content)).toContain('library_name: peft');
  });

  it('writes a card for all that the repository holds when one part is pushed after another', async () => {
    await push({ parts: ['merged'] });
    expect(textOf('README.md')).not.toContain('ollama run');
    const outcome = await push({ parts: ['gguf'] });
    expect(outcome.sent.map((file) => file.path)).toEqual(['README.md', `${name}-Q8_0.gguf`, 'osler.json']);
    expect(textOf('README.md')).toContain(`ollama run hf.co/${repo}:Q8_0`);
    expect(textOf('README.md')).toContain(`AutoModelForCausalLM.from_pretrained("${repo}"`);
    expect(paths()).toContain('model.safetensors');
  });

  it('can be used by its name here again, as any model of the Hub', async () => {
    const { commit } = await push();
    const models = new ModelStore(openStore(':memory:'));
    const whole = await resolveModel(repo, null, { config: made.config, models });
    expect(whole).toMatchObject({ revision: commit, ggufFile: expect.stringMatching(/Q8_0\.gguf$/) });
    expect(readFileSync(path.join(whole.transformersDir ?? '', 'chat_template.jinja'), 'utf8')).toBe('{{ messages }}');
    const one = await resolveModel(`${repo}:${name}-Q8_0.gguf`, null, { config: made.config, models });
    expect(readFileSync(one.ggufFile ?? '')).toEqual(readFileSync(made.folder.gguf('q8_0')));
  });

  it('sends nothing the second time', async () => {
    const first = await push();
    expect(await push()).toMatchObject({ commit: first.commit, sent: [] });
  });

  it('takes what export.json lists: all GGUF files, the adapter as GGUF, and the Modelfile with the names of the repository', async () => {
    const { folder } = made;
    const digest = (file: string) => sha256OfFile(path.join(folder.root, file));
    writeFileSync(path.join(folder.root, 'merged-q4_k_m.gguf'), 'four bits');
    writeFileSync(path.join(folder.root, 'adapter-f16.gguf'), 'adapter');
    writeFileSync(path.join(folder.root, 'Modelfile'), 'FROM ./merged-q8_0.gguf\nTEMPLATE """{{ .Prompt }}"""\n');
    const gguf = async (type: string) => ({
      type,
      file: `merged-${type}.gguf`,
      bytes: 1,
      sha256: await digest(`merged-${type}.gguf`),
      tensorTypes: {},
    });
    const list = {
      schemaVersion: 1,
      sourceSha256: 'a'.repeat(64),
      ggufs: [await gguf('q8_0'), await gguf('q4_k_m')],
      adapterGguf: { file: 'adapter-f16.gguf', bytes: 7, sha256: await digest('adapter-f16.gguf') },
      modelfile: 'Modelfile',
      notices: ['Some tensors stay in 16 bit.'],
    };
    writeFileSync(path.join(folder.root, 'export.json'), JSON.stringify(list));
    await push();
    expect(paths()).toEqual(expect.arrayContaining([`${name}-Q8_0.gguf`, `${name}-Q4_K_M.gguf`, `adapter/${name}-lora.gguf`, 'Modelfile']));
    expect(textOf('Modelfile')).toBe(`FROM ./${name}-Q8_0.gguf\nTEMPLATE """{{ .Prompt }}"""\n`);
    expect(textOf('README.md')).toContain('Some tensors stay in 16 bit.');
    appendFileSync(path.join(folder.root, 'merged-q4_k_m.gguf'), 'more');
    expect((await errorOf(() => push())).message).toContain('is not as it was written');
  });

  it('says in the card which weights the certificate covers, and sends it along without paths of this machine', async () => {
    const merged = await sha256OfFile(path.join(made.folder.merged, 'model.safetensors'));
    const certificate = certificateOf([{ path: 'merged/model.safetensors', bytes: 1, sha256: merged }], {
      found: `read ${made.folder.merged}`,
    });
    const checks = certificate.checks.map((check) => ({ ...check, id: 'weights/merged', kind: 'weights', subject: 'merged' }));
    writeFileSync(path.join(made.folder.root, 'certificate.json'), JSON.stringify({ ...certificate, checks }));
    const outcome = await push();
    expect(textOf('README.md')).toContain(`**Not covered by it:** \`adapter/adapter_model.safetensors\`, \`${name}-Q8_0.gguf\`.`);
    expect(textOf('certificate.json')).toContain('weights/merged');
    expect(textOf('certificate.json')).not.toContain(home);
    expect(outcome.notices.join(' ')).not.toContain('no certificate');
  });

  it('in a dry run writes the card and names what it would send, without a token too', async () => {
    const outcome = await push({ isDryRun: true });
    expect(outcome).toMatchObject({ commit: null, isNew: true, repo });
    expect(hub.repository('model', repo)).toBeUndefined();
    expect(await readPushRecord(made.folder)).toBeUndefined();
    const alone = await push({ isDryRun: true }, { config: { ...made.config, hubToken: null, hubEndpoint: 'http://127.0.0.1:9' } });
    expect(alone).toMatchObject({ repo: `your-name/${name}`, commit: null });
    expect(await readFile(path.join(made.folder.root, 'card/README.md'), 'utf8')).toContain('# DeepSeek-R1-Medical-COT');
  });

  it('says what the licence of Llama asks for', async () => {
    const { notices } = await push();
    expect(notices.join(' ')).toContain('begins with "Llama"');
    expect(textOf('README.md')).toContain('**Built with Llama**');
    expect(textOf('NOTICE')).toContain(
      'Llama 3.1 is licensed under the Llama 3.1 Community License, Copyright © Meta Platforms, Inc. All Rights Reserved.',
    );
    hub.repository('model', base)?.commits.clear();
    rmSync(path.join(home, 'cache'), { recursive: true });
    expect((await push({ repo: 'ann/Llama-Other' })).notices.join(' ')).toContain('a copy of it travels with the weights');
  });

  describe('refusals', () => {
    it('of a run that is at work, has nothing, or lacks a part', async () => {
      expect(await errorOf(() => push({}, { run: { ...made.run, state: 'training' } }))).toMatchObject({ code: 'OSLER_ERR_RUN_STATE' });
      const unlock = tryLockFolder(made.folder.root);
      expect((await errorOf(() => push())).message).toContain('another osler process works on it');
      unlock?.();
      rmSync(made.folder.gguf('q8_0'));
      expect((await errorOf(() => push({ parts: ['adapter', 'gguf'] }))).message).toContain('it has no gguf');
      rmSync(made.folder.adapter, { recursive: true });
      rmSync(made.folder.merged, { recursive: true });
      expect((await errorOf(() => push())).message).toContain('nothing to push');
      expect(() => readParts('adapter,weights')).toThrow('"weights" is no part');
      expect(hub.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
    });

    it('of weights and settings that are not as the trainer wrote them', async () => {
      appendFileSync(path.join(made.folder.merged, 'model.safetensors'), 'x');
      expect((await errorOf(() => push())).message).toContain('is not as it was written');
      appendFileSync(path.join(made.folder.adapter, 'adapter_config.json'), ' ');
      expect((await errorOf(() => push({ parts: ['adapter'] }))).message).toContain('is not as it was written');
      expect(await readPushRecord(made.folder)).toMatchObject({
        state: 'failed',
        error: expect.stringContaining('is not as it was written'),
      });
    });

    it('of a missing token and of one that may only read, before anything is made', async () => {
      const none = await errorOf(() => push({}, { config: { ...made.config, hubToken: null } }));
      expect(none).toMatchObject({ code: 'OSLER_ERR_HUB_PUSH' });
      expect(none.message).toContain('set HF_TOKEN');
      expect((await errorOf(() => push({}, { config: { ...made.config, hubToken: 'hf_reader' } }))).message).toContain('may only read');
      expect(hub.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
    });
  });

  it('leaves the token in no file, record, error or progress', async () => {
    const seen: unknown[] = [];
    await push({ onProgress: (progress) => seen.push(progress) });
    hub.faults.refuse = {
      host: 'hub',
      pattern: /\/(?:preupload|tree)\//,
      status: 403,
      times: 1,
      message: JSON.stringify({ error: `no: Bearer ${token}` }),
    };
    const error = await errorOf(() => push({ repo: 'ann/other' }));
    seen.push(error.message, error.stack, await readPushRecord(made.folder));
    expect(JSON.stringify(seen)).not.toContain(token);
    const files = (await readdir(home, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(15);
    for (const entry of files) expect((await readFile(path.join(entry.parentPath, entry.name))).includes(token), entry.name).toBe(false);
    for (const [file, { content }] of Object.entries(hub.files(repo))) expect(content.includes(token), file).toBe(false);
  });
});
