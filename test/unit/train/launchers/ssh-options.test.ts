import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SshLauncher } from '../../../../src/core/schema/launcher.ts';
import { ensureSocketFolder, sshOptions } from '../../../../src/train/launchers/ssh-options.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const settings = (change: object = {}): SshLauncher => SshLauncher.parse({ kind: 'ssh', host: 'gpu', ...change });

describe('sshOptions', () => {
  it('asks nothing, trusts nothing on sight and forwards nothing, whatever the settings', () => {
    for (const change of [{}, { port: 22, identityFile: '/key', knownHostsFile: '/known' }]) {
      const options = sshOptions(settings(change), '/sockets');
      for (const option of ['BatchMode=yes', 'StrictHostKeyChecking=yes', 'ForwardAgent=no', 'ForwardX11=no', 'PermitLocalCommand=no'])
        expect(options).toContain(option);
    }
  });

  it('shares a connection only among equal settings', () => {
    const socketOf = (change: object): string | undefined =>
      sshOptions(settings(change), '/sockets').find((option) => option.startsWith('ControlPath='));
    expect(socketOf({})).toBe(socketOf({}));
    expect(socketOf({})).not.toBe(socketOf({ identityFile: '/other' }));
  });
});

describe('ensureSocketFolder', () => {
  it('is a folder of this user alone', async () => {
    const folder = await ensureSocketFolder(temporaryFolder());
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  it('is short enough for a socket where the home is not', async () => {
    const home = path.join(temporaryFolder(), 'x'.repeat(100));
    const folder = await ensureSocketFolder(home);
    onTestFinished(async () => await rm(folder, { recursive: true }));
    expect(folder.length).toBeLessThan(60);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });
});
