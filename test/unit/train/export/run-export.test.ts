import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { exportFile, readRunExport, RunExport } from '../../../../src/train/export/run-export.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const made: RunExport = {
  schemaVersion: 1,
  sourceSha256: 'a'.repeat(64),
  ggufs: [{ type: 'q8_0', file: 'merged-q8_0.gguf', bytes: 5, sha256: 'b'.repeat(64), tensorTypes: { q8_0: 1 } }],
  adapterGguf: null,
  modelfile: 'Modelfile',
  notices: [],
};

describe('readRunExport', () => {
  it('reads what was exported', async () => {
    const folder = { root: temporaryFolder() };
    await writeFile(exportFile(folder), JSON.stringify(made));
    expect(await readRunExport(folder)).toEqual(made);
  });

  it.each([
    ['nothing', null],
    ['half a list', JSON.stringify(made).slice(0, 50)],
    ['a list of another form', JSON.stringify({ ...made, schemaVersion: 2 })],
  ])('takes %s for none, so that it is made again', async (_name, text) => {
    const folder = { root: temporaryFolder() };
    if (text !== null) await writeFile(exportFile(folder), text);
    expect(await readRunExport(folder)).toBeUndefined();
  });
});

describe('RunExport', () => {
  it('takes no path for a file, so that it holds where the home was moved, and leads nowhere else', () => {
    for (const file of ['/runs/a.gguf', '../a.gguf', 'b\\a.gguf'])
      expect(RunExport.safeParse({ ...made, adapterGguf: { file, bytes: 1, sha256: 'c'.repeat(64) } }).success).toBe(false);
  });
});
