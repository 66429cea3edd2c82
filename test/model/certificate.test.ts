import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openExportedWith } from '../../src/cli/certify-runtime.ts';
import { childEnvironment } from '../../src/core/config.ts';
import { sha256OfFile } from '../../src/core/digest.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Certificate, CertificateCheck } from '../../src/core/schema/certificate.ts';
import { openStore } from '../../src/core/store.ts';
import { prebuiltCpu } from '../../src/engine/llama/backend-choice.ts';
import { ensureBaseGguf } from '../../src/train/certificate/base-gguf.ts';
import { certifyRun } from '../../src/train/certificate/certify-run.ts';
import { quantiseAnew } from '../../src/train/certificate/quantise-anew.ts';
import { ModelStore } from '../../src/train/model-store.ts';
import { convertAnyway, type CraftedRun, craftRun, withGguf } from '../support/crafted-run.ts';
import { flipByte, patchMetadata, patchTemplate } from '../support/patch-gguf.ts';
import { testConfig } from '../support/test-home.ts';

async function certify({ run, folder, baseDir, python, exported }: CraftedRun): Promise<Certificate> {
  const config = testConfig();
  const deps = { config, models: new ModelStore(openStore(':memory:')) };
  return await certifyRun(
    { run, folder, baseDir, exported },
    {
      clock: systemClock,
      python,
      open: openExportedWith(prebuiltCpu, config.threads),
      baseGguf: async (type) => await ensureBaseGguf(baseDir, type, deps),
      quantiseAnew: async (types) => await quantiseAnew(folder, types, { config, python }),
    },
  );
}

/** The command line on a home. */
async function osler(home: string, ...words: readonly string[]) {
  return await execa(process.execPath, [path.join(packageRoot, 'bin/osler.js'), ...words], {
    reject: false,
    env: childEnvironment({ OSLER_HOME: home, OSLER_GPU: 'off', CI: 'true' }),
  });
}

const withStatus = ({ checks }: Certificate, status: CertificateCheck['status']): string[] =>
  checks.filter((check) => check.status === status).map(({ id }) => id);
const lineOf = ({ checks }: Certificate, id: string): string => checks.find((check) => check.id === id)?.detail ?? '';

describe('the certificate of an export', () => {
  let home = '';
  let crafted: CraftedRun;
  const file = (name: string): string => path.join(home, `${name}.gguf`);
  /** Certifies the run with another file in place of its q8_0. */
  const certifyFile = async (name: string): Promise<Certificate> => certify(await withGguf(crafted, path.join(home, name), file(name)));

  beforeAll(async () => {
    home = await mkdtemp(path.join(os.tmpdir(), 'osler-certificate-'));
    crafted = await craftRun(home);
  });
  afterAll(async () => rm(home, { recursive: true, force: true }));

  it('passes an export that is what was trained, with every check run', async () => {
    const certificate = await certify(crafted);
    expect(withStatus(certificate, 'failed')).toEqual([]);
    expect(withStatus(certificate, 'notRun')).toEqual([]);
    expect(certificate.passed).toBe(true);
    expect(await readFile(path.join(crafted.folder.root, 'certificate.md'), 'utf8')).toContain('Every check passed');
  });

  it('lets that export be promoted by name, and neither promotes nor loads it once a byte is flipped', async () => {
    const { folder, run } = crafted;
    const [file = ''] = crafted.exported.ggufs.map((gguf) => path.join(folder.root, gguf.file));
    new ModelStore(openStore(home)).put({
      id: run.id,
      runId: run.id,
      baseRef: run.recipe.base.ref,
      transformersDir: folder.merged,
      ggufFile: file,
      ggufSha256: null,
      templateFile: folder.template,
      status: 'candidate',
      createdAt: run.createdAt,
    });
    const promoted = await osler(home, 'promote', run.id);
    expect(promoted.exitCode, promoted.stderr).toBe(0);
    await flipByte(file, 'blk.3.ffn_up.weight');
    const again = await osler(home, 'promote', run.id);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain('(files/run): "merged-q8_0.gguf" has other bytes');
    const served = await osler(home, 'serve', '--model', 'tuned=tuned', '--port', '0');
    expect(served.exitCode).toBe(2);
    expect(served.stderr).toContain('OSLER_ERR_CERTIFICATE_BROKEN');
    await flipByte(file, 'blk.3.ffn_up.weight');
  });

  it('catches a base that is not the one that the training began with, by the check of its files', async () => {
    const { source } = crafted.folder;
    const recorded = await readFile(source, 'utf8');
    const digest = await sha256OfFile(path.join(crafted.baseDir, 'model.safetensors'));
    expect(recorded).toContain(digest);
    await writeFile(source, recorded.replace(digest, 'a'.repeat(64)));
    onTestFinished(async () => writeFile(source, recorded));
    const certificate = await certify(crafted);
    expect(withStatus(certificate, 'failed')).toEqual(['base-files/run']);
    expect(lineOf(certificate, 'base-files/run')).toMatch(/When the adapter was merged, "model.safetensors" has other bytes/);
  });

  it('catches a wrong template by the check of the template', async () => {
    await patchTemplate(crafted.folder.gguf('q8_0'), file('template'), '### Question:', '### Enquiry :');
    const certificate = await certifyFile('template');
    expect(withStatus(certificate, 'failed')).toEqual(['template/q8_0']);
    expect(lineOf(certificate, 'template/q8_0')).toContain('Enquiry :');
  });

  it('catches a doubled BOS by the check of BOS', async () => {
    await patchMetadata(crafted.folder.gguf('q8_0'), file('bos'), 'tokenizer.ggml.add_bos_token', Buffer.from([1]));
    const certificate = await certifyFile('bos');
    expect(withStatus(certificate, 'failed')).toEqual(['bos/q8_0']);
    expect(lineOf(certificate, 'bos/q8_0')).toContain('would read two');
  });

  it('catches a missing EOS by the check of EOS', async () => {
    await patchMetadata(crafted.folder.gguf('q8_0'), file('eos'), 'tokenizer.ggml.eos_token_id', Buffer.from([0, 0, 0, 0]));
    const certificate = await certifyFile('eos');
    expect(withStatus(certificate, 'failed')).toEqual(['eos/q8_0']);
    expect(lineOf(certificate, 'eos/q8_0')).toContain('is token 0, and answers were trained to end in token 2');
  });

  it('catches an adapter that was not merged by the check of the update', async () => {
    // The export's own settings and tokenizer, and the base's weights.
    const folder = path.join(home, 'unmerged-source');
    await mkdir(folder);
    for (const name of await readdir(crafted.folder.merged))
      if (!name.endsWith('.safetensors')) await copyFile(path.join(crafted.folder.merged, name), path.join(folder, name));
    await symlink(path.join(crafted.baseDir, 'model.safetensors'), path.join(folder, 'model.safetensors'));
    await convertAnyway(crafted, folder, file('unmerged'));
    const certificate = await certifyFile('unmerged');
    expect(withStatus(certificate, 'failed')).toEqual(['update/q8_0']);
    expect(lineOf(certificate, 'update/q8_0')).toContain('the adapter is not merged');
  });

  it('catches another base by the check of the base', async () => {
    await convertAnyway(crafted, path.join(crafted.folder.root, 'other'), file('other'));
    const certificate = await certifyFile('other');
    expect(withStatus(certificate, 'failed')).toEqual(['base/q8_0']);
    expect(lineOf(certificate, 'base/q8_0')).toContain('another base');
  });

  it('catches flipped bytes by the checks of checksums and tensors', async () => {
    await copyFile(crafted.folder.gguf('q8_0'), file('flipped'));
    const flipped = await withGguf(crafted, path.join(home, 'flipped'), file('flipped'));
    await flipByte(file('flipped'), 'blk.3.ffn_up.weight');
    const certificate = await certify(flipped);
    expect(withStatus(certificate, 'failed')).toEqual(['files/run', 'weights/q8_0']);
    expect(lineOf(certificate, 'files/run')).toContain('"merged-q8_0.gguf" has other bytes');
    expect(lineOf(certificate, 'weights/q8_0')).toContain('model.layers.3.mlp.up_proj.weight');
  });
});
