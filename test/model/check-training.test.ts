import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { openStore } from '../../src/core/store.ts';
import { checkTraining } from '../../src/server/training-check.ts';
import { openLauncher } from '../../src/train/launchers/open-launcher.ts';
import { SshLauncher } from '../../src/train/launchers/ssh-launcher.ts';
import { ModelStore } from '../../src/train/model-store.ts';
import { resolveRecipe } from '../../src/train/recipe.ts';
import { RunStore } from '../../src/train/run-store.ts';
import { Sshd, whyNoSshd } from '../support/sshd.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { testConfig } from '../support/test-home.ts';

const config = testConfig();
const database = openStore(':memory:');
const deps = {
  config,
  models: new ModelStore(database),
  runs: new RunStore(database, systemClock),
  launcher: async (name: string) => await openLauncher(name, config),
};

describe('a check with the real trainer and the small real model', () => {
  it('counts the rows that the limit cuts, and proposes the length that would cut none', { timeout: 300_000 }, async () => {
    const short = await resolveRecipe({ preset: 'smoke', set: { 'base.maxLengthTokens': 128 } });
    const { host, findings, data } = await checkTraining(short, deps);
    expect(host?.rows).toMatchObject({ count: data?.trainRows });
    expect(host?.rows?.truncated).toBeGreaterThan(0);
    const truncated = findings.find(({ code }) => code === 'rowsTruncated');
    expect(truncated).toMatchObject({ level: 'warning', setting: 'base.maxLengthTokens', value: host?.rows?.lengthTokens.max });
    expect(host?.memory?.neededBytes).toBeGreaterThan(500e6);
    expect(host?.disk?.stages.map(({ name }) => name)).toEqual(expect.arrayContaining(['adapter', 'merged', 'gguf']));

    const long = await resolveRecipe({ preset: 'smoke', set: { 'base.maxLengthTokens': truncated?.value } });
    const mended = await checkTraining(long, deps);
    expect(mended.host?.rows?.truncated).toBe(0);
    expect(mended.findings.filter(({ level }) => level !== 'note')).toEqual([]);
  });

  it('asks the real trainer of another machine, as far as config and tokenizer tell', { timeout: 300_000 }, async ({ skip }) => {
    const reason = await whyNoSshd();
    if (reason !== undefined) skip(reason);
    const folder = temporaryFolder();
    const sshd = await Sshd.create(folder);
    await sshd.start();
    onTestFinished(async () => await sshd.stop());
    const launcher = async (name: string) =>
      new SshLauncher(name, sshd.settings(), { home: folder, secrets: {}, patience: { firstMs: 20, mostMs: 200, tries: 3 } });
    const recipe = await resolveRecipe({ preset: 'smoke' });
    const [there, here] = [await checkTraining(recipe, { ...deps, launcher }, { launcher: 'gpu' }), await checkTraining(recipe, deps)];
    expect(there.host?.rows).toEqual(here.host?.rows);
    expect(there.host?.memory?.terms).toEqual(here.host?.memory?.terms);
    expect(there.host?.disk?.stages.map(({ name }) => name)).toEqual(['checkpoints', 'adapter', 'merged']);
    expect([...(there.host?.disk?.stages ?? []), ...(there.host?.disk?.elsewhere ?? [])]).toEqual(here.host?.disk?.stages);
    expect(there.findings.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
