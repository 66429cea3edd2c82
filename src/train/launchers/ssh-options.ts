import { chmod, mkdir, mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { sha256 } from '../../core/digest.ts';
import type { SshLauncher } from '../../core/schema/launcher.ts';

const connectTimeoutSeconds = 15;
const aliveIntervalSeconds = 15;
const aliveCount = 3;
/** Longest path of a socket on macOS (Linux: 108), less the suffix of 17 characters that ssh adds while it makes one. */
const socketPathLimit = 104 - 17 - 1;
const socketNameLength = 8;

/** Options of every ssh command: nothing is asked, no key is trusted on sight, nothing is forwarded, and one connection serves all. */
export function sshOptions(settings: SshLauncher, socketFolder: string): string[] {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    `ConnectTimeout=${connectTimeoutSeconds}`,
    `ServerAliveInterval=${aliveIntervalSeconds}`,
    `ServerAliveCountMax=${aliveCount}`,
    'ForwardAgent=no',
    'ForwardX11=no',
    'PermitLocalCommand=no',
    'ControlMaster=auto',
    'ControlPersist=60',
    // Not %C: a connection made with other settings (another key) must not serve this launcher.
    `ControlPath=${path.join(socketFolder, sha256(JSON.stringify(settings)).slice(0, socketNameLength))}`,
    ...(settings.identityFile === undefined ? [] : ['IdentitiesOnly=yes']),
    ...(settings.knownHostsFile === undefined ? [] : [`UserKnownHostsFile=${settings.knownHostsFile}`, 'GlobalKnownHostsFile=/dev/null']),
  ];
  return [
    '-T',
    '-x',
    ...options.flatMap((option) => ['-o', option]),
    ...(settings.port === undefined ? [] : ['-p', String(settings.port)]),
    ...(settings.identityFile === undefined ? [] : ['-i', settings.identityFile]),
  ];
}

/** A folder that only this user can enter, short enough for sockets: `<home>/ssh`, or a new temporary one. */
export async function ensureSocketFolder(home: string): Promise<string> {
  const folder = path.join(home, 'ssh');
  if (path.join(folder, 'x'.repeat(socketNameLength)).length > socketPathLimit) return await mkdtemp(path.join(os.tmpdir(), 'osler-ssh-'));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  return folder;
}
