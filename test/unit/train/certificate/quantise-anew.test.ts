import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GgufType } from '../../../../src/core/schema/gguf-type.ts';
import { quantiseAnew } from '../../../../src/train/certificate/quantise-anew.ts';
import { exportRun } from '../../../../src/train/export/export-run.ts';
import { runFolder } from '../../../../src/train/run-folder.ts';
import { errorOf } from '../../../support/error-of.ts';
import { installExportTools, writeTrained } from '../../../support/export-tools.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';
import { doneRun } from '../../../support/tiny-run.ts';

/** An exported run, by programs that stand for Python and llama-quantize. */
async function exportedRun() {
  const home = temporaryFolder();
  const run = await doneRun({ ggufTypes: ['q4_k_m', 'q6_k'], adapterGguf: false });
  const folder = runFolder(home, run.id);
  const { venv, quantizer } = await installExportTools(home);
  await writeTrained(folder);
  const config = { ...testConfig(home), venv };
  await exportRun(run, folder, { config, quantizer });
  await writeFile(path.join(home, 'calls'), '');
  const anew = (...types: GgufType[]) => quantiseAnew(folder, types, { config, python: path.join(venv, 'bin/python'), quantizer });
  const calls = (): string[] => readFileSync(path.join(home, 'calls'), 'utf8').trim().split('\n');
  const leftovers = (): string[] => readdirSync(folder.root).filter((name) => name.startsWith('.certify') && name.endsWith('.gguf'));
  return { home, folder, anew, calls, leftovers };
}

describe('quantiseAnew', () => {
  it('tells of each type whether the exported file has the tensors that are made anew, out of the merged folder', async () => {
    const { folder, anew, calls, leftovers } = await exportedRun();
    await appendFile(folder.gguf('q6_k'), 'more');
    expect(Object.fromEntries(await anew('q4_k_m', 'q6_k'))).toEqual({ q4_k_m: true, q6_k: false });
    expect(calls().toSorted()).toEqual(['convert bf16', 'quantize q4_k_m', 'quantize q6_k']);
    expect(leftovers()).toEqual([]);
    expect([...(await anew('bf16', 'q8_0'))], 'types that are compared without it').toEqual([]);
    expect(calls()).toHaveLength(3);
  });

  it('leaves nothing behind where a program fails', async () => {
    const { anew, home, folder, leftovers } = await exportedRun();
    await writeFile(path.join(home, 'behaviour'), 'fail at q6_k');
    expect(await errorOf(() => anew('q6_k'))).toMatchObject({ code: 'OSLER_ERR_EXPORT_FAILED' });
    expect(leftovers()).toEqual([]);
    expect(existsSync(folder.gguf('q6_k'))).toBe(true);
  });
});
