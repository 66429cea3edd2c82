import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLauncher } from '../../../../src/train/launchers/open-launcher.ts';
import { openRemoteLauncher } from '../../../../src/train/launchers/open-remote-launcher.ts';
import { RayLauncher } from '../../../../src/train/launchers/ray-launcher.ts';
import { SshLauncher } from '../../../../src/train/launchers/ssh-launcher.ts';
import { runFolder } from '../../../../src/train/run-folder.ts';
import { errorOf } from '../../../support/error-of.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { testConfig } from '../../../support/test-home.ts';

describe('openRemoteLauncher', () => {
  const home = (): string => {
    const folder = temporaryFolder();
    const content = { gpu: { kind: 'ssh', host: 'gpu' }, cluster: { kind: 'ray', address: 'http://head:8265', storage: '/shared' } };
    writeFileSync(path.join(folder, 'launchers.json'), JSON.stringify(content));
    return folder;
  };

  it('opens each kind by its name', async () => {
    const ssh = await openRemoteLauncher('gpu', { home: home() });
    expect(ssh).toBeInstanceOf(SshLauncher);
    expect(ssh.name).toBe('gpu');
    expect(await openRemoteLauncher('cluster', { home: home() })).toBeInstanceOf(RayLauncher);
  });

  it('lets it tell of a cluster that cannot be reached', async () => {
    const folder = temporaryFolder();
    const away = { cluster: { kind: 'ray', address: 'http://127.0.0.1:1', storage: '/shared' } };
    writeFileSync(path.join(folder, 'launchers.json'), JSON.stringify(away));
    const notices: string[] = [];
    const launcher = await openLauncher('cluster', testConfig(folder), (notice) => void notices.push(notice));
    const trainer = {
      kind: 'ray',
      submissionId: 'osler-run-1-1',
      folder: '/shared/runs/run-1',
      startedAt: '2026-11-24T10:00:00Z',
    } as const;
    await expect(launcher.isAlive(trainer, runFolder(folder, 'run-1'))).rejects.toThrow('cannot be reached');
    expect(notices).toEqual([expect.stringContaining('The trainer goes on there by itself')]);
  });

  it.each(['gpus', 'constructor', ''])('names those there are where %j is none', async (name) => {
    const error = await errorOf(async () => await openRemoteLauncher(name, { home: home() }));
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNKNOWN');
    expect(error.message).toContain('local, gpu, cluster');
    expect(error.message).toContain('launchers.json');
  });
});
