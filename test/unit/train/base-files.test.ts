import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/core/digest.ts';
import type { TrainEvent } from '../../../src/core/schema/train-event.ts';
import { readBase, recordFetchedBase, recordOf } from '../../../src/train/base-files.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { RunSource } from '../../../src/train/run-source.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const entry = (name: string, text = name) => ({ path: name, bytes: Buffer.byteLength(text), sha256: sha256(text) });
const read = ['config.json', 'model.safetensors', 'tokenizer.model'];

function base(): string {
  const folder = temporaryFolder();
  for (const name of [...read, 'README.md', 'pytorch_model.bin', 'model.gguf']) writeFileSync(path.join(folder, name), name);
  mkdirSync(path.join(folder, 'checkpoint-2'));
  writeFileSync(path.join(folder, 'checkpoint-2/trainer_state.json'), '{}');
  return folder;
}

const steps: string[] = [];
const options = { signal: new AbortController().signal, onStep: (step: string) => void steps.push(step) };

describe('readBase', () => {
  it('reads what a trainer here reads, once a run, and says so', async () => {
    const folder = base();
    const content = await readBase(folder, { launcher: 'local', isDryRun: false }, undefined, options);
    expect(content?.files).toEqual(read.map((name) => entry(name)));
    expect(steps.splice(0)).toEqual(['checksums of the base model']);
    expect(await readBase(folder, { launcher: 'local', isDryRun: false }, content && recordOf(content), options)).toBeUndefined();
    expect(await readBase(folder, { launcher: 'local', isDryRun: true }, undefined, options)).toBeUndefined();
    expect(steps).toEqual([]);
  });

  it('reads all that goes to another machine, and records of it what a trainer reads', async () => {
    const content = await readBase(base(), { launcher: 'gpu', isDryRun: false }, [], options);
    expect(content?.files.map((file) => file.path)).toEqual([
      'README.md',
      'checkpoint-2/trainer_state.json',
      'config.json',
      'model.safetensors',
      'pytorch_model.bin',
      'tokenizer.model',
    ]);
    expect(content && recordOf(content)).toEqual(read.map((name) => entry(name)));
  });

  it('ends when its signal aborts', async () => {
    const signal = AbortSignal.abort();
    await expect(readBase(base(), { launcher: 'local', isDryRun: false }, undefined, { signal })).rejects.toThrow('aborted');
  });
});

describe('recordFetchedBase', () => {
  const told = (revision: string, text: string): TrainEvent => ({
    type: 'base',
    at: '2026-11-24T10:00:00Z',
    revision,
    files: [entry('model.safetensors', text)],
  });

  function run(files?: object[]) {
    const folder = runFolder(temporaryFolder(), 'run-1');
    mkdirSync(folder.root, { recursive: true });
    const data = { ref: 'rows.jsonl', revision: null, sha256: '', trainRows: 1, heldOutRows: 0 };
    writeFileSync(folder.source, JSON.stringify({ data, base: { ref: 'owner/name', revision: null, ...(files && { files }) } }));
    const source = () => RunSource.parse(JSON.parse(readFileSync(folder.source, 'utf8')));
    const tell = (...events: TrainEvent[]) => writeFileSync(folder.events, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    return { folder, source, tell };
  }

  it('keeps what the first try told, with the commit', async () => {
    const { folder, source, tell } = run();
    await recordFetchedBase(folder);
    expect(source().base.files).toBeUndefined();
    tell(told('0a1b', 'first'), told('2c3d', 'second'));
    await recordFetchedBase(folder);
    expect(source().base).toEqual({ ref: 'owner/name', revision: '0a1b', files: [entry('model.safetensors', 'first')] });
  });

  it('changes nothing that was recorded before the training', async () => {
    const { folder, source, tell } = run([entry('model.safetensors', 'before')]);
    tell(told('0a1b', 'after'));
    await recordFetchedBase(folder);
    expect(source().base).toMatchObject({ revision: null, files: [entry('model.safetensors', 'before')] });
  });
});
