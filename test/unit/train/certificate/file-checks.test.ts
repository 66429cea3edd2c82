import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../../src/core/digest.ts';
import type { TrainEvent } from '../../../../src/core/schema/train-event.ts';
import {
  baseFilesCheck,
  changedFiles,
  filesCheck,
  listCertifiedFiles,
  listMadeFiles,
} from '../../../../src/train/certificate/file-checks.ts';
import type { RunExport } from '../../../../src/train/export/run-export.ts';
import { RunDigests } from '../../../../src/train/run-digests.ts';
import { runFolder } from '../../../../src/train/run-folder.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const at = '2026-11-24T10:00:00.000Z';
const entry = (name: string, text: string) => ({ path: name, bytes: Buffer.byteLength(text), sha256: sha256(text) });

function exportedRun() {
  const folder = runFolder(temporaryFolder(), 'run-1');
  for (const place of [folder.adapter, folder.merged]) mkdirSync(place, { recursive: true });
  writeFileSync(path.join(folder.adapter, 'adapter_model.safetensors'), 'adapter');
  writeFileSync(path.join(folder.merged, 'model.safetensors'), 'merged');
  writeFileSync(folder.template, 'template');
  writeFileSync(folder.gguf('q8_0'), 'gguf');
  const artifact = (kind: 'adapter' | 'merged', name: string, text: string): TrainEvent => ({
    type: 'artifact',
    at,
    kind,
    path: `/elsewhere/${kind}`,
    bytes: text.length,
    files: [entry(name, text)],
  });
  const events = [
    artifact('merged', 'left-over.safetensors', 'of a former try'),
    artifact('adapter', 'adapter_model.safetensors', 'adapter'),
    artifact('merged', 'model.safetensors', 'merged'),
  ];
  writeFileSync(folder.events, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  const { path: _path, ...digest } = entry('', 'gguf');
  const exported: RunExport = {
    schemaVersion: 1,
    sourceSha256: sha256(''),
    ggufs: [{ type: 'q8_0', file: 'merged-q8_0.gguf', ...digest, tensorTypes: {} }],
    adapterGguf: null,
    modelfile: null,
    notices: [],
  };
  return { folder, exported };
}

describe('the check of the base', () => {
  const [weights, others, config] = [entry('model.safetensors', 'a'), entry('model.safetensors', 'b'), entry('config.json', '{}')];

  it('finds a base that was another one when the adapter was merged, though it is the right one again', () => {
    const check = baseFilesCheck([weights, config], [weights, config], [others]);
    expect(check.status).toBe('failed');
    expect(check.detail).toMatch(/When the adapter was merged, "model.safetensors" has other bytes.*merged into another base/);
    expect(check.figures).toMatchObject({ files: 2, changed: 1 });
  });

  it('passes the same base at the merge and now, and asks nothing of files that were not recorded', () => {
    expect(baseFilesCheck([weights, config], [weights, config], [weights, entry('other.safetensors', 'x')]).status).toBe('passed');
  });

  it('finds a changed configuration', () => {
    expect(baseFilesCheck([weights, config], [weights, entry('config.json', '[]')], [weights]).detail).toContain('"config.json"');
  });
});

describe('the check of files', () => {
  it('takes what trainer and exporter said they made, the last time, and finds it so', async () => {
    const { folder, exported } = exportedRun();
    const made = await listMadeFiles(folder, exported);
    expect(made.map((file) => file.path).toSorted()).toEqual([
      'adapter/adapter_model.safetensors',
      'merged-q8_0.gguf',
      'merged/model.safetensors',
    ]);
    const present = await listCertifiedFiles(folder, exported);
    expect(present).toContainEqual(entry('template.jinja', 'template'));
    expect(filesCheck(made, present).status).toBe('passed');
  });

  it('reads the bytes, whatever is on record of them', async () => {
    const { folder, exported } = exportedRun();
    const digests = await RunDigests.open(folder);
    await digests.note('merged/model.safetensors', entry('', 'merged'), Date.now() + 1000);
    await digests.save();
    const record = path.join(folder.root, '.digests.json');
    writeFileSync(record, readFileSync(record, 'utf8').replace(sha256('merged'), 'a'.repeat(64)));
    expect(await (await RunDigests.open(folder)).of('merged/model.safetensors')).toBe('a'.repeat(64));
    expect(await listCertifiedFiles(folder, exported)).toContainEqual(entry('merged/model.safetensors', 'merged'));
  });

  it('names a file of other bytes, of another length, and one that is gone', async () => {
    const { folder, exported } = exportedRun();
    const made = [...(await listMadeFiles(folder, exported)), entry('merged/gone.safetensors', 'gone')];
    writeFileSync(folder.gguf('q8_0'), 'gguF');
    writeFileSync(path.join(folder.merged, 'model.safetensors'), 'merged and more');
    const check = filesCheck(made, await listCertifiedFiles(folder, exported));
    expect(check.status).toBe('failed');
    expect(check.detail).toMatch(/"merged-q8_0.gguf" has other bytes/);
    expect(check.detail).toMatch(/"merged\/model.safetensors" has 15 bytes and had 6/);
    expect(check.detail).toMatch(/"merged\/gone.safetensors" is not there/);
  });

  it('tells a base that has changed since, and that none was recorded', () => {
    expect(baseFilesCheck([entry('model.safetensors', 'a')], [entry('model.safetensors', 'b')]).status).toBe('failed');
    expect(baseFilesCheck(undefined, []).status).toBe('notRun');
    expect(baseFilesCheck([entry('model.safetensors', 'a')], [entry('model.safetensors', 'a')]).status).toBe('passed');
    expect(changedFiles([entry('x', 'a')], [entry('x', 'a')])).toEqual([]);
  });
});
