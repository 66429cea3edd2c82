import { mkdtemp, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quantisedGgufTypes } from '../../src/core/schema/gguf-type.ts';
import { openStore } from '../../src/core/store.ts';
import { quantiseAnew } from '../../src/train/certificate/quantise-anew.ts';
import { isUpdateInDoubt } from '../../src/train/certificate/update-check.ts';
import { ggufChecks } from '../../src/train/certificate/weight-checks.ts';
import { measureWeights } from '../../src/train/certificate/weight-measures.ts';
import { convertToGguf } from '../../src/train/convert-to-gguf.ts';
import { exportRun } from '../../src/train/export/export-run.ts';
import { ensureLlamaQuantize } from '../../src/train/export/llama-quantize.ts';
import { quantiseGguf } from '../../src/train/export/quantise-gguf.ts';
import { ModelStore } from '../../src/train/model-store.ts';
import { ensurePython } from '../../src/train/python-environment.ts';
import { requireTransformers, resolveModel } from '../../src/train/resolve-model.ts';
import { testConfig, testHome } from '../support/test-home.ts';
import { makeTinyRun, type TinyRun } from '../support/tiny-run.ts';

const cacheDir = path.join(testHome, 'cache');

/** The lines about the update in K-quants of a tiny random model whose rows fill their blocks, by the real programs. */
describe.each([
  ['large', 0.8],
  ['tiny', 0.002],
])('the certificate of a %s update in K-quants', (name, size) => {
  let home = '';
  let tiny: TinyRun;
  let python = '';
  beforeAll(async () => {
    home = await mkdtemp(path.join(os.tmpdir(), 'osler-update-'));
    const config = testConfig();
    python = await ensurePython({ python: config.python });
    const deps = { config, models: new ModelStore(openStore(':memory:')) };
    const tokenizer = requireTransformers(await resolveModel('smollm2-135m-instruct', null, deps));
    tiny = await makeTinyRun(home, tokenizer, { ggufTypes: [...quantisedGgufTypes], adapterGguf: false }, size);
    await symlink(cacheDir, path.join(home, 'cache'));
    await exportRun(tiny.run, tiny.folder, { config: { ...config, home }, quantizer: await ensureLlamaQuantize({ cacheDir }) });
  });
  afterAll(async () => {
    await rm(path.join(home, 'cache'), { force: true });
    await rm(home, { recursive: true, force: true });
  });

  /** Status and words of the line about the update of each file, and the types that were quantised anew for it. */
  async function judge() {
    const { folder, base } = tiny;
    const ggufs = quantisedGgufTypes.map((type) => folder.gguf(type));
    const weights = await measureWeights(python, { base, adapter: folder.adapter, merged: folder.merged, ggufs });
    const measured = quantisedGgufTypes.map((type, index) => ({ type, measures: weights.ggufs[index] }));
    const inDoubt = measured.filter(({ type, measures }) => measures !== undefined && isUpdateInDoubt(type, measures));
    const types = inDoubt.map(({ type }) => type);
    const anew = await quantiseAnew(folder, types, { config: testConfig(), python });
    const lines = measured.flatMap(({ type, measures }) =>
      measures === undefined ? [] : ggufChecks(type, measures, anew.get(type)).filter(({ kind }) => kind === 'update'),
    );
    return { anew, statuses: lines.map(({ status }) => status), said: lines.map(({ detail }) => detail) };
  }

  it('passes the honest export', async () => {
    const { anew, statuses, said } = await judge();
    expect(statuses, said.join('\n')).toEqual(['passed', 'passed', 'passed']);
    expect([...anew.values()]).toEqual(name === 'tiny' ? [true, true, true] : []);
    for (const line of said) expect(line).toContain(name === 'tiny' ? 'smaller than what' : 'The file holds');
  });

  it('fails the base in its place', async () => {
    const [program, bf16] = [await ensureLlamaQuantize({ cacheDir }), path.join(home, 'base.gguf')];
    await convertToGguf({ python, cacheDir, source: tiny.base, target: bf16, type: 'bf16' });
    for (const type of quantisedGgufTypes) {
      const target = tiny.folder.gguf(type);
      await quantiseGguf({ program, source: bf16, target, type, threads: 1, expectedBytes: 1 << 25, check: async () => undefined });
    }
    const { statuses, said } = await judge();
    expect(statuses, said.join('\n')).toEqual(['failed', 'failed', 'failed']);
    for (const line of said) expect(line).toContain(name === 'tiny' ? 'too small to be seen' : 'it is the bare base');
  });
});
