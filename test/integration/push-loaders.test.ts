import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';
import { messageOf } from '../../src/core/errors.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { pushRun } from '../../src/train/publish/push-run.ts';
import { ensurePython } from '../../src/train/python-environment.ts';
import { startHubServer } from '../support/hub-server.ts';
import { makePublishedRun } from '../support/published-run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const token = 'hf_ann';
const repo = 'ann/DeepSeek-R1-Medical-COT';

it('leaves a repository that transformers and peft load as the card says', { timeout: 600_000 }, async (context) => {
  const python = await ensurePython({ python: null }).catch((error: unknown) => context.skip(messageOf(error)));
  const hub = await startHubServer({ pageSize: 100, largeBytes: 10_000 });
  onTestFinished(() => hub.close());
  hub.accounts.set(token, { name: 'ann', role: 'write' });
  const home = temporaryFolder();
  const script = path.join(packageRoot, 'test/support/hub/python_loaders.py');
  const env = {
    HF_ENDPOINT: hub.endpoint,
    HF_TOKEN: token,
    HF_HUB_DISABLE_XET: '1',
    HF_HUB_DISABLE_TELEMETRY: '1',
    HF_HOME: path.join(home, 'hf'),
  };
  const baseFolder = path.join(home, 'base');
  const commitOf = async (): Promise<string> => {
    const names = await readdir(baseFolder);
    const files = await Promise.all(
      names.map(
        async (name) => [name, { content: await readFile(path.join(baseFolder, name)), isLarge: name.endsWith('.safetensors') }] as const,
      ),
    );
    return hub.addCommit('model', 'ann/tiny-base', Object.fromEntries(files));
  };
  const made = await makePublishedRun(home, { hubEndpoint: hub.endpoint, hubToken: token });
  for (const folder of [made.folder.adapter, made.folder.merged]) await rm(folder, { recursive: true });
  // The trainer's word on the former files goes with them.
  await rm(made.folder.events);
  await execa(python, [script, 'make', baseFolder, made.folder.adapter, made.folder.merged], { env: { ...env, HF_HUB_OFFLINE: '1' } });
  const commit = await commitOf();
  const sourceText = await readFile(made.folder.source, 'utf8');
  const source = { ...(JSON.parse(sourceText) as object), base: { ref: 'ann/tiny-base', revision: commit } };
  await writeFile(made.folder.source, JSON.stringify(source));

  const outcome = await pushRun(made.run, made.folder, { config: made.config, clock: made.clock }, { visibility: 'private' });
  const { stdout } = await execa(python, [script, 'load', repo, 'ann/tiny-base', outcome.commit ?? ''], { env });
  expect(JSON.parse(stdout)).toEqual({
    class: 'LlamaForCausalLM',
    adapters: false,
    tuned: true,
    adapterIsMerged: true,
    pinned: 'LlamaForCausalLM',
    tokens: [2, 3, 4, 5, 6, 7, 4],
    adapterTokens: [7],
    card: { license: 'unknown', base_model: ['ann/tiny-base'], library_name: 'transformers' },
  });
});
