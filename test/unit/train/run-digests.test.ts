import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/core/digest.ts';
import type { TrainedArtifact } from '../../../src/train/launchers/launcher.ts';
import { noteTrained, RunDigests } from '../../../src/train/run-digests.ts';
import { runFolder } from '../../../src/train/run-folder.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const name = 'merged/model.safetensors';
const planted = 'a'.repeat(64);

function newRun(text = 'weights') {
  const folder = runFolder(temporaryFolder(), 'run-1');
  mkdirSync(folder.merged, { recursive: true });
  const file = path.join(folder.root, name);
  const record = path.join(folder.root, '.digests.json');
  writeFileSync(file, text);
  /** The digest on record becomes another one: whoever gives that has not read the file. */
  const plant = (): void =>
    writeFileSync(record, readFileSync(record, 'utf8').replace(/"sha256": "[0-9a-f]{64}"/, `"sha256": "${planted}"`));
  const digest = async (): Promise<string> => {
    const digests = await RunDigests.open(folder);
    const found = await digests.of(name);
    await digests.save();
    return found;
  };
  return { folder, file, record, plant, digest };
}

describe('RunDigests', () => {
  it('reads a file once', async () => {
    const { plant, digest } = newRun();
    expect(await digest()).toBe(sha256('weights'));
    plant();
    expect(await digest()).toBe(planted);
  });

  it('reads it again where a byte was changed, though its size and time are as they were', async () => {
    const { file, plant, digest } = newRun();
    await digest();
    plant();
    const { atime, mtime } = statSync(file);
    await sleep(20);
    writeFileSync(file, 'weightz');
    utimesSync(file, atime, mtime);
    expect(await digest()).toBe(sha256('weightz'));
    expect(await digest()).toBe(sha256('weightz'));
  });

  it('reads it again where the record is damaged, and fails where there is no file', async () => {
    const { folder, record, plant, digest } = newRun();
    await digest();
    plant();
    writeFileSync(record, readFileSync(record, 'utf8').slice(0, -20));
    expect(await digest()).toBe(sha256('weights'));
    await expect((await RunDigests.open(folder)).of('merged/none')).rejects.toThrow('ENOENT');
  });
});

describe('noteTrained', () => {
  const artifact = (at: Date, bytes = 7): TrainedArtifact => ({
    type: 'artifact',
    at: at.toISOString(),
    kind: 'merged',
    path: '/there/merged',
    bytes,
    files: [{ path: 'model.safetensors', bytes, sha256: planted }],
  });
  const later = (): Date => new Date(Date.now() + 1000);
  const earlier = (): Date => new Date(Date.now() - 60_000);

  it('takes over what the trainer told, here or of files that were fetched', async () => {
    const local = newRun();
    await noteTrained(local.folder, [artifact(later())], null);
    expect(await local.digest()).toBe(planted);
    const fetched = newRun();
    await noteTrained(fetched.folder, [artifact(earlier())], later().getTime());
    expect(await fetched.digest()).toBe(planted);
  });

  it('takes nothing over of a file that changed after the trainer had read it, or has another size', async () => {
    const { folder, digest } = newRun();
    await noteTrained(folder, [artifact(earlier())], null);
    await noteTrained(folder, [artifact(later(), 8)], null);
    await noteTrained(runFolder(temporaryFolder(), 'run-2'), [artifact(later())], null);
    expect(await digest()).toBe(sha256('weights'));
  });
});
