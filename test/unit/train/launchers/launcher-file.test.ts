import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { launcherFilePath, readLaunchers } from '../../../../src/train/launchers/launcher-file.ts';
import { errorOf } from '../../../support/error-of.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

function homeWith(content: string): string {
  const home = temporaryFolder();
  writeFileSync(path.join(home, 'launchers.json'), content);
  return home;
}

describe('readLaunchers', () => {
  it('fills in what was left out', async () => {
    const home = homeWith(
      JSON.stringify({ gpu: { kind: 'ssh', host: 'ann@gpu' }, cluster: { kind: 'ray', address: 'http://head:8265', storage: '/shared' } }),
    );
    expect(await readLaunchers(home)).toEqual({
      gpu: { kind: 'ssh', host: 'ann@gpu', python: 'python3', workDir: '.osler-runs' },
      cluster: { kind: 'ray', address: 'http://head:8265', storage: '/shared', python: 'python3', gpus: 1 },
    });
  });

  it('finds none where there is no file', async () => expect(await readLaunchers(temporaryFolder())).toEqual({}));

  it('tells every problem at once', async () => {
    const home = homeWith(
      JSON.stringify({ local: { kind: 'ssh', host: 'x' }, gpu: { kind: 'ssh', host: '-oProxyCommand=evil' }, other: { kind: 'slurm' } }),
    );
    const error = await errorOf(async () => await readLaunchers(home));
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_FILE');
    expect(error.message).toContain(launcherFilePath(home));
    for (const words of ['local: ', 'gpu.host: ', 'other.kind: ']) expect(error.message).toContain(words);
  });

  it('says that it is no JSON', async () =>
    expect((await errorOf(async () => await readLaunchers(homeWith('{')))).message).toContain('not valid JSON'));
});
