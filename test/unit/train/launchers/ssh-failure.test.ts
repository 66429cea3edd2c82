import { describe, expect, it } from 'vitest';
import { SshLauncher } from '../../../../src/core/schema/launcher.ts';
import { isConnectionFailure, sshFailureOf } from '../../../../src/train/launchers/ssh-failure.ts';

const settings = SshLauncher.parse({ kind: 'ssh', host: 'ann@gpu', port: 2222, identityFile: '/keys/a key' });
const failure = (stderr: string) => sshFailureOf('gpu', settings, stderr);

describe('sshFailureOf', () => {
  it.each([
    ['ssh: connect to host gpu port 2222: Connection refused', 'OSLER_ERR_LAUNCHER_UNREACHABLE'],
    ['ssh: Could not resolve hostname gpu: Name or service not known', 'OSLER_ERR_LAUNCHER_UNREACHABLE'],
    ['client_loop: send disconnect: Broken pipe', 'OSLER_ERR_LAUNCHER_UNREACHABLE'],
    ['', 'OSLER_ERR_LAUNCHER_UNREACHABLE'],
    [
      'No ED25519 host key is known for [gpu]:2222 and you have requested strict checking.\nHost key verification failed.',
      'OSLER_ERR_LAUNCHER_HOST_KEY',
    ],
    ['@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.', 'OSLER_ERR_LAUNCHER_HOST_KEY'],
    ['ann@gpu: Permission denied (publickey).', 'OSLER_ERR_LAUNCHER_KEY_REFUSED'],
    ['Received disconnect from gpu: 2: Too many authentication failures', 'OSLER_ERR_LAUNCHER_KEY_REFUSED'],
  ])('takes %j for %s', (stderr, code) => {
    expect(failure(stderr).code).toBe(code);
    expect(isConnectionFailure(failure(stderr))).toBe(true);
  });

  it('says how to add an unknown key, and only warns of a changed one', () => {
    expect(failure('No ED25519 host key is known for gpu').message).toContain('ssh-keyscan -p 2222 gpu >> ~/.ssh/known_hosts');
    const changed = failure('REMOTE HOST IDENTIFICATION HAS CHANGED').message;
    expect(changed).not.toContain('ssh-keyscan');
    expect(changed).toContain("ssh-keygen -R '[gpu]:2222'");
  });

  it('says how to try a key that was refused', () =>
    expect(failure('Permission denied (publickey)').message).toContain("ssh -p 2222 -i '/keys/a key' ann@gpu true"));

  it('is about the connection and not about what runs on the host', () => expect(isConnectionFailure(new Error('x'))).toBe(false));
});
