import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { openStore } from '../../src/core/store.ts';
import { checkTraining } from '../../src/server/training-check.ts';
import { openLauncher } from '../../src/train/launchers/open-launcher.ts';
import { ModelStore } from '../../src/train/model-store.ts';
import { resolveRecipe } from '../../src/train/recipe.ts';
import { RunStore } from '../../src/train/run-store.ts';
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
});
