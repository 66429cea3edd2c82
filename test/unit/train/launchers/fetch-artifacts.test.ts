import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../../src/core/digest.ts';
import { type ArtifactSource, fetchArtifacts } from '../../../../src/train/launchers/fetch-artifacts.ts';
import type { TrainedArtifact } from '../../../../src/train/launchers/launcher.ts';
import { type RunFolder, runFolder } from '../../../../src/train/run-folder.ts';
import { errorOf } from '../../../support/error-of.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

interface Host extends ArtifactSource {
  readonly files: Record<string, string>;
  readonly reads: { file: string; offset: number }[];
  /** Bytes until the connection breaks; negative: it holds. */
  left: number;
}

function host(files: Record<string, string>): Host {
  const source: Host = {
    name: 'gpu',
    folder: '/there/run-1',
    files,
    reads: [],
    left: -1,
    read: async (file, offset, take) => {
      source.reads.push({ file, offset });
      const rest = Buffer.from(source.files[file] ?? '').subarray(offset);
      const isCut = source.left >= 0 && rest.length > source.left;
      await take(isCut ? rest.subarray(0, source.left) : rest);
      if (isCut) throw new Error('the connection was lost');
    },
  };
  return source;
}

function artifact(kind: TrainedArtifact['kind'], below: string, files: Readonly<Record<string, string>>): TrainedArtifact {
  const listed = Object.entries(files).map(([name, content]) => ({ path: name, bytes: content.length, sha256: sha256(content) }));
  return { type: 'artifact', at: '2026-11-24T00:00:00Z', kind, path: `/there/run-1/${below}`, bytes: 1, files: listed };
}

function set(): { folder: RunFolder; source: Host; adapter: TrainedArtifact } {
  const folder = runFolder(temporaryFolder(), 'run-1');
  mkdirSync(folder.root, { recursive: true });
  const source = host({ '/there/run-1/adapter/a': 'first', '/there/run-1/adapter/b/c': 'second' });
  return { folder, source, adapter: artifact('adapter', 'adapter', { a: 'first', 'b/c': 'second' }) };
}

describe('fetchArtifacts', () => {
  it('puts a folder in place whole, once, and in the place of an older one', async () => {
    const { folder, source, adapter } = set();
    mkdirSync(folder.adapter);
    writeFileSync(path.join(folder.adapter, 'old'), 'old');
    await fetchArtifacts(source, folder, [adapter]);
    expect(readdirSync(folder.adapter, { recursive: true }).map(String).toSorted()).toEqual(['a', 'b', 'b/c']);
    expect(readFileSync(path.join(folder.adapter, 'b/c'), 'utf8')).toBe('second');
    expect(readdirSync(folder.root)).toEqual(['adapter']);
    const before = source.reads.length;
    await fetchArtifacts(source, folder, [adapter]);
    expect(source.reads).toHaveLength(before);
  });

  it('shows nothing of a transfer that broke off, and goes on from there', async () => {
    const { folder, source, adapter } = set();
    source.left = 3;
    await expect(fetchArtifacts(source, folder, [adapter])).rejects.toThrow('the connection was lost');
    expect(existsSync(folder.adapter)).toBe(false);
    source.left = -1;
    source.reads.length = 0;
    await fetchArtifacts(source, folder, [adapter]);
    expect(source.reads[0]).toEqual({ file: '/there/run-1/adapter/a', offset: 3 });
    expect(readFileSync(path.join(folder.adapter, 'a'), 'utf8')).toBe('first');
  });

  it('fetches anew what an earlier try brought of another content', async () => {
    const { folder, source, adapter } = set();
    mkdirSync(path.join(folder.root, '.adapter.fetched'));
    writeFileSync(path.join(folder.root, '.adapter.fetched/a'), 'xx');
    writeFileSync(path.join(folder.root, '.adapter.fetched/gone'), 'xx');
    await fetchArtifacts(source, folder, [adapter]);
    expect(readFileSync(path.join(folder.adapter, 'a'), 'utf8')).toBe('first');
    expect(existsSync(path.join(folder.adapter, 'gone'))).toBe(false);
  });

  it('fetches a wrong file once more, and then says so', async () => {
    const { folder, source, adapter } = set();
    source.files['/there/run-1/adapter/b/c'] = 'sEcond';
    const error = await errorOf(async () => await fetchArtifacts(source, folder, [adapter]));
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_ARTIFACT');
    expect(source.reads.filter(({ file }) => file.endsWith('c'))).toHaveLength(2);
    expect(existsSync(folder.adapter)).toBe(false);
  });

  it('takes a file as an artifact, and not a second time out of its folder', async () => {
    const { folder, source, adapter } = set();
    const tokenizer = artifact('tokenizer', 'adapter/a', { '': 'first' });
    const reference = artifact('reference', 'reference.jsonl', { '': 'ref' });
    source.files['/there/run-1/reference.jsonl'] = 'ref';
    await fetchArtifacts(source, folder, [tokenizer, adapter, reference]);
    expect(source.reads.map(({ file }) => path.basename(file))).toEqual(['a', 'c', 'reference.jsonl']);
    expect(readFileSync(path.join(folder.root, 'reference.jsonl'), 'utf8')).toBe('ref');
  });

  it('takes the last word where a resumed run told of the same artifact again', async () => {
    const { folder, source, adapter } = set();
    await fetchArtifacts(source, folder, [artifact('adapter', 'adapter', { a: 'older' }), adapter]);
    expect(readFileSync(path.join(folder.adapter, 'a'), 'utf8')).toBe('first');
  });

  it('says before anything is fetched that the disk is too small', async () => {
    const { folder, source, adapter } = set();
    const huge = { ...adapter, files: [{ path: 'a', bytes: 2 ** 52, sha256: '' }] };
    expect((await errorOf(async () => await fetchArtifacts(source, folder, [huge]))).code).toBe('OSLER_ERR_DISK_FULL');
    expect(source.reads).toEqual([]);
  });
});
