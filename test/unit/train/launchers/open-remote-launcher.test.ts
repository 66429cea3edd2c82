import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openRemoteLauncher } from '../../../../src/train/launchers/open-remote-launcher.ts';
import { RayLauncher } from '../../../../src/train/launchers/ray-launcher.ts';
import { SshLauncher } from '../../../../src/train/launchers/ssh-launcher.ts';
import { errorOf } from '../../../support/error-of.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

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

  it.each(['gpus', 'constructor', ''])('names those there are where %j is none', async (name) => {
    const error = await errorOf(async () => await openRemoteLauncher(name, { home: home() }));
    expect(error.code).toBe('OSLER_ERR_LAUNCHER_UNKNOWN');
    expect(error.message).toContain('local, gpu, cluster');
    expect(error.message).toContain('launchers.json');
  });
});
