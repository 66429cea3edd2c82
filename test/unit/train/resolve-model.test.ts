import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/core/digest.ts';
import { openStore } from '../../../src/core/store.ts';
import { ModelStore } from '../../../src/train/model-store.ts';
import { ensureGguf, requireTransformers, resolveModel, type ResolveModelDeps } from '../../../src/train/resolve-model.ts';
import { errorOf } from '../../support/error-of.ts';
import { type HubServer, startHubServer } from '../../support/hub-server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { testConfig } from '../../support/test-home.ts';

const file = (text: string): { content: Buffer } => ({ content: Buffer.from(text) });
const large = (text: string): { content: Buffer; isLarge: true } => ({ content: Buffer.from(text), isLarge: true });

let hub: HubServer;
beforeAll(async () => {
  hub = await startHubServer();
});
afterAll(() => hub.close());

/** A home of its own, an empty registry, our Hub, and a Python that cannot be started. */
const newDeps = (): ResolveModelDeps => ({
  config: { ...testConfig(temporaryFolder()), hubEndpoint: hub.endpoint, python: '/none/python' },
  models: new ModelStore(openStore(':memory:')),
});

describe('resolveModel: paths', () => {
  it('takes a folder with config.json for transformers', async () => {
    const folder = temporaryFolder();
    await writeFile(path.join(folder, 'config.json'), '{}');
    expect(await resolveModel(folder, null, newDeps())).toEqual({
      ref: folder,
      transformersDir: folder,
      ggufFile: null,
      templateFile: null,
      revision: null,
    });
  });

  it('takes a file for GGUF, by its full path', async () => {
    const gguf = path.join(temporaryFolder(), 'model.gguf');
    await writeFile(gguf, 'GGUF');
    const relative = path.relative(process.cwd(), gguf);
    expect(await resolveModel(relative, null, newDeps())).toMatchObject({ ref: relative, ggufFile: gguf, transformersDir: null });
  });

  it('refuses a folder without config.json and says what to give', async () => {
    const folder = temporaryFolder();
    const error = await errorOf(() => resolveModel(folder, null, newDeps()));
    expect(error.code).toBe('OSLER_ERR_MODEL_UNSUITABLE');
    expect(error.message).toContain(`"${folder}" cannot be used here: the folder has no config.json`);
  });
});

describe('resolveModel: the registry', () => {
  it('finds what a run here has made', async () => {
    const deps = newDeps();
    deps.models.put({
      id: 'run-1',
      runId: 'run-1',
      baseRef: 'b',
      transformersDir: '/runs/1/merged',
      ggufFile: '/runs/1/merged.gguf',
      ggufSha256: null,
      templateFile: '/runs/1/template.jinja',
      status: 'candidate',
      createdAt: '2026-11-23T10:00:00.000Z',
    });
    expect(await resolveModel('run-1', null, deps)).toEqual({
      ref: 'run-1',
      transformersDir: '/runs/1/merged',
      ggufFile: '/runs/1/merged.gguf',
      templateFile: '/runs/1/template.jinja',
      revision: null,
    });
  });

  it('lists the ids of the package and of this home where a reference is unknown', async () => {
    const deps = newDeps();
    deps.models.put({
      id: 'run-7',
      runId: null,
      baseRef: null,
      transformersDir: null,
      ggufFile: null,
      ggufSha256: null,
      templateFile: null,
      status: 'candidate',
      createdAt: '2026-11-23T10:00:00.000Z',
    });
    for (const ref of ['smolm2', './models/none', 'a/b/c', '/none/model.gguf']) {
      const error = await errorOf(() => resolveModel(ref, null, deps));
      expect(error.code).toBe('OSLER_ERR_MODEL_UNKNOWN');
      expect(error.message).toContain(`"${ref}"`);
      expect(error.message).toContain('smollm2-135m-instruct, deepseek-r1-distill-llama-8b, run-7');
    }
  });

  it('fetches a known model from its repository on the Hub', async () => {
    const commit = hub.addCommit('model', 'unsloth/DeepSeek-R1-Distill-Llama-8B', {
      'config.json': file('{}'),
      'model.safetensors': large('w'),
    });
    const model = await resolveModel('deepseek-r1-distill-llama-8b', null, newDeps());
    expect(model).toMatchObject({ ref: 'deepseek-r1-distill-llama-8b', revision: commit, ggufFile: null });
    expect(model.transformersDir).not.toBeNull();
  });
});

describe('resolveModel: the Hub', () => {
  const weights = {
    'config.json': file('{"hidden_size": 64}'),
    'tokenizer.json': file('{}'),
    'chat_template.jinja': file('{{ messages }}'),
    'merges.txt': file(''),
    'model-00001-of-00001.safetensors': large('weights'),
    'README.md': file('# Model'),
    'pytorch_model.bin': large('a pickle'),
  };

  it('fetches safetensors, configuration and tokenizer, and nothing else', async () => {
    const commit = hub.addCommit('model', 'owner/weights', weights);
    const steps: string[] = [];
    const bytes: [number, number][] = [];
    const model = await resolveModel('owner/weights', null, {
      ...newDeps(),
      onStep: (step) => steps.push(step),
      onBytes: (done, total) => bytes.push([done, total]),
    });
    expect(model).toMatchObject({ ref: 'owner/weights', ggufFile: null, revision: commit });
    const folder = requireTransformers(model);
    expect(await readFile(path.join(folder, 'config.json'), 'utf8')).toBe('{"hidden_size": 64}');
    for (const [name, isWanted] of [
      ['model-00001-of-00001.safetensors', true],
      ['chat_template.jinja', true],
      ['merges.txt', true],
      ['README.md', false],
      ['pytorch_model.bin', false],
    ] as const)
      expect(
        await readFile(path.join(folder, name)).then(
          () => true,
          () => false,
        ),
        name,
      ).toBe(isWanted);
    expect(steps).toEqual(['fetch owner/weights from the Hub']);
    const [done, total] = bytes.at(-1) ?? [];
    expect(done).toBe(total);
  });

  it('takes the revision that is asked for, and that of the reference before it', async () => {
    const old = hub.addCommit('model', 'owner/moving', { ...weights, 'config.json': file('{"v": 1}') });
    const newest = hub.addCommit('model', 'owner/moving', { ...weights, 'config.json': file('{"v": 2}') });
    expect((await resolveModel('owner/moving', null, newDeps())).revision).toBe(newest);
    expect((await resolveModel('owner/moving', old, newDeps())).revision).toBe(old);
    expect((await resolveModel(`owner/moving@${newest}`, old, newDeps())).revision).toBe(newest);
  });

  it('takes the q8_0 file of a repository of GGUF files', async () => {
    hub.addCommit('model', 'owner/gguf', {
      'model-Q4_K_M.gguf': large('q4'),
      'model-Q8_0.gguf': large('q8'),
      'config.json': file('{}'),
    });
    const model = await resolveModel('owner/gguf', null, newDeps());
    expect(model.transformersDir).toBeNull();
    expect(await readFile(model.ggufFile ?? '', 'utf8')).toBe('q8');
  });

  it('takes the one file that the reference names', async () => {
    hub.addCommit('model', 'owner/gguf', { 'sub/model-Q4_K_M.gguf': large('q4'), 'model-Q8_0.gguf': large('q8') });
    const model = await resolveModel('owner/gguf:sub/model-Q4_K_M.gguf', null, newDeps());
    expect(await readFile(model.ggufFile ?? '', 'utf8')).toBe('q4');
  });

  it('refuses a repository without weights and says how to name a GGUF file', async () => {
    hub.addCommit('model', 'owner/empty', { 'config.json': file('{}'), 'model-Q4_K_M.gguf': large('q4') });
    const error = await errorOf(() => resolveModel('owner/empty', null, newDeps()));
    expect(error.code).toBe('OSLER_ERR_MODEL_UNSUITABLE');
    expect(error.message).toContain('owner/name:path/of/file.gguf');
  });

  it('says that a repository is not on the Hub', async () => {
    const error = await errorOf(() => resolveModel('owner/nowhere', null, newDeps()));
    expect(error.code).toBe('OSLER_ERR_HUB_FAILED');
    expect(error.message).toContain('owner/nowhere');
  });
});

describe('requireTransformers', () => {
  it('refuses a model that is GGUF only and says what training starts from', async () => {
    const gguf = path.join(temporaryFolder(), 'model.gguf');
    await writeFile(gguf, 'GGUF');
    const model = await resolveModel(gguf, null, newDeps());
    const error = await errorOf(() => requireTransformers(model));
    expect(error.code).toBe('OSLER_ERR_MODEL_UNSUITABLE');
    expect(error.message).toContain('config.json and safetensors');
  });
});

describe('ensureGguf', () => {
  it('gives the GGUF that a model has', async () => {
    const model = { ref: 'm', transformersDir: '/t', ggufFile: '/g.gguf', templateFile: null, revision: null };
    expect(await ensureGguf(model, 'q8_0', newDeps())).toBe('/g.gguf');
  });

  it('takes a conversion that was kept, while the model is older than it', async () => {
    const deps = newDeps();
    const folder = temporaryFolder();
    const kept = path.join(deps.config.home, 'cache/gguf', `${path.basename(folder)}-${sha256(folder).slice(0, 12)}-q8_0.gguf`);
    await mkdir(path.dirname(kept), { recursive: true });
    await writeFile(kept, 'GGUF');
    await writeFile(path.join(folder, 'config.json'), '{}');
    await utimes(path.join(folder, 'config.json'), 1_000_000, 1_000_000);
    const model = await resolveModel(folder, null, deps);
    expect(await ensureGguf(model, 'q8_0', deps)).toBe(kept);
  });
});
