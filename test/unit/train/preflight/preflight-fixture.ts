import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openStore } from '../../../../src/core/store.ts';
import type { Preflight } from '../../../../src/core/schema/preflight.ts';
import type { Recipe } from '../../../../src/core/schema/recipe.ts';
import { TrainingCheck } from '../../../../src/core/schema/training-check.ts';
import { ModelStore } from '../../../../src/train/model-store.ts';
import { type PreflightDeps, preflight } from '../../../../src/train/preflight/preflight.ts';
import { resolveRecipe } from '../../../../src/train/recipe.ts';
import { locateTemplate } from '../../../../src/train/locate-template.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';

/** A good row of a number. */
export function rowOf(index: number): Record<string, string> {
  return { Question: `q${index}`, Complex_CoT: `t${index}`, Response: `a${index}` };
}

/** Good rows. */
export function rowsOf(count: number): Record<string, string>[] {
  return Array.from({ length: count }, (_value, index) => rowOf(index));
}

/** A recipe on a file of these rows: the smoke preset with changes by path. */
export async function recipeOn(rows: readonly unknown[], set: Readonly<Record<string, unknown>> = {}): Promise<Recipe> {
  const file = path.join(temporaryFolder(), 'rows.jsonl');
  await writeFile(file, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'));
  return await resolveRecipe({ preset: 'smoke', set: { 'data.ref': file, 'data.heldOutRows': 0, ...set } });
}

/** What a pre-flight of a home of its own tells; it must fit the schema. */
export async function checked(recipe: Recipe, deps: Partial<PreflightDeps> = {}): Promise<TrainingCheck> {
  const home = temporaryFolder();
  const check = await preflight(recipe, {
    config: testConfig(home),
    models: new ModelStore(openStore(':memory:')),
    locateTemplate,
    ...deps,
  });
  return TrainingCheck.parse(check);
}

/** A report of the trainer in which everything is in order. */
export function hostReport(changes: Partial<Preflight> = {}): Preflight {
  return {
    schemaVersion: 1,
    runId: 'check',
    backend: 'peft',
    device: {
      kind: 'cpu',
      name: 'cpu',
      totalBytes: 8e9,
      freeBytes: 6e9,
      driverVersion: null,
      driverCudaVersion: null,
      torchCudaVersion: null,
      computeCapability: null,
      hasBf16: false,
    },
    deviceCount: 1,
    versions: { torch: '2.13.0' },
    rows: { count: 3, lengthTokens: { min: 10, median: 20, p95: 30, max: 40 }, truncated: 0, withoutResponse: 0 },
    memory: {
      terms: [{ name: 'weights', bytes: 5e8, description: 'x' }],
      neededBytes: 2e9,
      freeBytes: 6e9,
      largestBatch: 8,
      largestLengthTokens: 4096,
    },
    disk: { stages: [{ name: 'merged', bytes: 3e8, description: 'x' }], neededBytes: 3e8, freeBytes: 1e10 },
    findings: [],
    ...changes,
  };
}
