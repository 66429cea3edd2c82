import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';
import { packageRoot } from '../../src/core/package-root.ts';
import { messageOf } from '../../src/core/errors.ts';
import { ensurePython } from '../../src/train/python-environment.ts';
import { startHubServer } from '../support/hub-server.ts';

// Xet is off in Python's client here: the test Hub has no Xet storage, and the client falls back to LFS by itself then.
it('is a Hub to the official Python client too', { timeout: 600_000 }, async (context) => {
  const python = await ensurePython({ python: null }).catch((error: unknown) => context.skip(messageOf(error)));
  const hub = await startHubServer({ pageSize: 3, largeBytes: 500_000, multipartBytes: 700_000 });
  hub.accounts.set('hf_ann', { name: 'ann', role: 'write' });
  hub.accounts.set('hf_reader', { name: 'ben', role: 'read' });
  hub.addCommit('model', 'meta/gated', { 'config.json': { content: Buffer.from('{}') } });
  const gated = hub.repository('model', 'meta/gated');
  if (gated !== undefined) gated.isGated = true;
  const folder = await mkdtemp(path.join(os.tmpdir(), 'osler-hub-python-'));
  onTestFinished(async () => {
    await hub.close();
    await rm(folder, { recursive: true, force: true });
  });
  const files = path.join(folder, 'files');
  await mkdir(path.join(files, 'sub'), { recursive: true });
  await writeFile(path.join(files, 'README.md'), '---\nlicense: apache-2.0\ntags:\n- medical\n---\n# Tiny\n');
  await writeFile(path.join(files, 'model.safetensors'), randomBytes(600_000));
  await writeFile(path.join(files, 'sub/big.gguf'), randomBytes(2_000_000));
  const result = await execa(python, [path.join(packageRoot, 'test/support/hub/python_client.py'), files, path.join(folder, 'cache')], {
    env: {
      HF_ENDPOINT: hub.endpoint,
      HF_HUB_DISABLE_XET: '1',
      HF_HUB_DISABLE_TELEMETRY: '1',
      HF_HOME: path.join(folder, 'home'),
      HF_TOKEN: '',
    },
  });
  const all = ['.gitattributes', 'README.md', 'model.safetensors', 'sub/big.gguf'];
  expect(JSON.parse(result.stdout)).toEqual({
    me: 'ann',
    url: `${hub.endpoint}/ann/tiny`,
    again: 'HfHubHTTPError 409',
    private: true,
    head: true,
    files: all,
    tree: [
      ['.gitattributes', expect.any(Number), false],
      ['README.md', expect.any(Number), false],
      ['model.safetensors', 600_000, true],
      ['sub/big.gguf', 2_000_000, true],
    ],
    same: true,
    snapshot: all,
    folder: true,
    refs: ['main', 'trial', 'v1'],
    titles: ['Upload later.txt with huggingface_hub', 'all of it', 'initial commit'],
    deleted: false,
    card: { license: 'apache-2.0', tags: ['medical'] },
    badCard: 'ValueError',
    moved: 'HfHubHTTPError 412',
    wrongToken: 'HfHubHTTPError 401',
    reader: 'HfHubHTTPError 403',
    hidden: 'RepositoryNotFoundError 404',
    missing: 'RepositoryNotFoundError 404',
    noRevision: 'RevisionNotFoundError 404',
    noFile: 'RemoteEntryNotFoundError 404',
    gated: 'GatedRepoError 403',
    gatedNoToken: 'GatedRepoError 401',
    gone: false,
  });
});
