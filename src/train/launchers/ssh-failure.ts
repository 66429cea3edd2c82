import {
  OSLER_ERR_LAUNCHER_HOST_KEY,
  OSLER_ERR_LAUNCHER_KEY_REFUSED,
  OSLER_ERR_LAUNCHER_UNREACHABLE,
  isOslerError,
  type OslerError,
} from '../../core/errors.ts';
import type { SshLauncher } from '../../core/schema/launcher.ts';
import { quoteForShell } from './shell-quote.ts';

/** Exit code of ssh itself; every other one is the remote command's. */
export const sshFailedCode = 255;

/** Why ssh could not connect or lost its connection, as the user can mend it. */
export function sshFailureOf(name: string, settings: SshLauncher, stderr: string): OslerError {
  const said = lastLine(stderr);
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr))
    return new OSLER_ERR_LAUNCHER_HOST_KEY(
      name,
      `its key is another than the one on record, so that it may be another machine. Ask whoever runs it. Only if the change is meant: ssh-keygen -R ${quoteForShell([knownName(settings)])}, then add the new key as for a new host.`,
    );
  if (/Host key verification failed|host key is known for|no matching host key/i.test(stderr)) {
    const port = settings.port === undefined ? '' : `-p ${settings.port} `;
    const file = settings.knownHostsFile === undefined ? '~/.ssh/known_hosts' : quoteForShell([settings.knownHostsFile]);
    return new OSLER_ERR_LAUNCHER_HOST_KEY(
      name,
      `its key is not known here. Fetch it with: ssh-keyscan ${port}${hostOnly(settings)} >> ${file}; and compare its fingerprint (ssh-keygen -lf ${file}) with the one that the host shows for itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub).`,
    );
  }
  if (/Permission denied|Too many authentication failures|UNPROTECTED PRIVATE KEY/i.test(stderr)) {
    const words = [
      ...(settings.port === undefined ? [] : ['-p', String(settings.port)]),
      ...(settings.identityFile === undefined ? [] : ['-i', quoteForShell([settings.identityFile])]),
    ];
    return new OSLER_ERR_LAUNCHER_KEY_REFUSED(name, said, ['ssh', ...words, settings.host, 'true'].join(' '));
  }
  return new OSLER_ERR_LAUNCHER_UNREACHABLE(name, said === '' ? 'the connection was lost' : said);
}

/** Whether an error is about the way to the host, and says nothing of what runs there. */
export function isConnectionFailure(error: unknown): boolean {
  const codes = ['OSLER_ERR_LAUNCHER_UNREACHABLE', 'OSLER_ERR_LAUNCHER_HOST_KEY', 'OSLER_ERR_LAUNCHER_KEY_REFUSED'];
  return isOslerError(error) && codes.includes(error.code);
}

function hostOnly(settings: SshLauncher): string {
  return settings.host.slice(settings.host.lastIndexOf('@') + 1);
}

function knownName(settings: SshLauncher): string {
  return settings.port === undefined ? hostOnly(settings) : `[${hostOnly(settings)}]:${settings.port}`;
}

function lastLine(text: string): string {
  const lines = text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  return (lines.at(-1) ?? '').replace(/\.$/, '').slice(0, 300);
}
