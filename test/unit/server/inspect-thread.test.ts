import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/core/config.ts';
import type { Recipe } from '../../../src/core/schema/recipe.ts';
import { inspectInThread } from '../../../src/server/inspect-thread.ts';
import { locateDataset } from '../../../src/train/data/locate-dataset.ts';
import { resolveRecipe } from '../../../src/train/recipe.ts';
import { runFiles } from '../../../src/train/run-folder.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Rows of many words, so that looking for evaluation items in them takes a while. */
function rowsOf(count: number): string {
  const words = (row: number) => Array.from({ length: 60 }, (_value, index) => `word${(row * 7 + index * index) % 900}`).join(' ');
  return Array.from({ length: count }, (_value, row) =>
    JSON.stringify({ Question: `${words(row)} ${row}?`, Complex_CoT: 't', Response: 'a' }),
  ).join('\n');
}

async function request(text: string) {
  const root = temporaryFolder();
  const data = path.join(root, 'rows.jsonl');
  await writeFile(data, text);
  const recipe: Recipe = await resolveRecipe({ preset: 'smoke', set: { 'data.ref': data, 'data.heldOutRows': 2 } });
  return { recipe, located: await locateDataset(recipe.data, { config: readConfig({}) }), root, itemFiles: [] };
}

describe('inspectInThread', () => {
  it('writes the rows to train on and those held out, and tells what it does', async () => {
    const asked = await request(rowsOf(10));
    const steps: string[] = [];
    const { findings, summary, outcome } = await inspectInThread(asked, { onStep: (step) => steps.push(step) });
    expect(steps).toEqual(['read the rows', 'look for evaluation items among the training rows']);
    expect([findings, summary]).toMatchObject([[], { trainRows: 8, heldOutRows: 2, contamination: { hard: 0 } }]);
    expect(outcome).toMatchObject({ source: { trainRows: 8, files: [{ rows: 10 }] } });
    const { trainRows, heldOutRows } = runFiles(asked.root);
    const lines = async (file: string): Promise<number> => (await readFile(file, 'utf8')).trimEnd().split('\n').length;
    expect([await lines(trainRows), await lines(heldOutRows)]).toEqual([8, 2]);
  });

  it('tells why rows cannot be trained on, and writes none', async () => {
    const asked = await request('{oops\n{"Question":"q","Complex_CoT":"t","Response":"a"}');
    const { outcome } = await inspectInThread(asked, {});
    expect(outcome).toMatchObject({ failure: { code: 'OSLER_ERR_DATA_ROWS', statusCode: 400 } });
    expect(existsSync(runFiles(asked.root).trainRows)).toBe(false);
  });

  it('throws what the thread throws, as it was', async () => {
    const asked = await request(rowsOf(3));
    const gone = { ...asked, located: { ...asked.located, files: [path.join(asked.root, 'none.jsonl')] } };
    expect(await errorOf(() => inspectInThread(gone, {}))).toMatchObject({ code: 'OSLER_ERR_FILE_NOT_FOUND', statusCode: 400 });
  });

  it('leaves this thread free, and ends in the midst of its work when it is told to', async () => {
    const asked = await request(rowsOf(6000));
    const ending = new AbortController();
    const reason = new Error('enough');
    const work = inspectInThread(asked, { onStep: (step) => step.startsWith('look') && ending.abort(reason), signal: ending.signal });
    await expect(work).rejects.toBe(reason);
    expect(existsSync(runFiles(asked.root).trainRows)).toBe(false);
    await expect(inspectInThread(asked, { signal: ending.signal })).rejects.toBe(reason);
  });
});
