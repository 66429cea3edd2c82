import { existsSync } from 'node:fs';
import { appendFile, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { execa } from 'execa';
import { SshLauncher } from '../../src/core/schema/launcher.ts';
import { packageRoot } from '../../src/core/package-root.ts';

const program = '/usr/sbin/sshd';

/** Why no sshd can be started here, or undefined. Installs Debian's package where that is possible. */
export async function whyNoSshd(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'cutting its connections needs /proc';
  if (!existsSync(program) || !(await hasProgram('ssh'))) {
    if (process.getuid?.() !== 0) return 'openssh-server is not installed';
    const words = ['install', '-y', '-q', '--no-install-recommends', 'openssh-server', 'openssh-client'];
    await execa('apt-get', ['update', '-q'], { reject: false });
    const result = await execa('apt-get', words, { reject: false, env: { DEBIAN_FRONTEND: 'noninteractive' } });
    if (result.exitCode !== 0) return 'openssh-server cannot be installed';
  }
  return undefined;
}

async function hasProgram(name: string): Promise<boolean> {
  return (await execa(name, ['-V'], { reject: false })).exitCode === 0;
}

/** A real sshd on 127.0.0.1, with keys of its own. */
export class Sshd {
  readonly port: number;
  /** Private key that it lets in. */
  readonly userKey: string;
  /** Private key that it does not know. */
  readonly otherKey: string;
  /** File with its host key. */
  readonly knownHosts: string;
  readonly #folder: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
    this.userKey = path.join(folder, 'user');
    this.otherKey = path.join(folder, 'other');
    this.knownHosts = path.join(folder, 'known_hosts');
  }

  /** A launcher's settings that reach it, with the trainer's Python of these tests; `change` goes over them. */
  settings(change: Partial<SshLauncher> = {}): SshLauncher {
    return SshLauncher.parse({
      kind: 'ssh',
      host: '127.0.0.1',
      port: this.port,
      identityFile: this.userKey,
      knownHostsFile: this.knownHosts,
      python: path.join(packageRoot, '.venv/bin/python'),
      workDir: path.join(this.#folder, 'work'),
      ...change,
    });
  }

  static async create(folder: string): Promise<Sshd> {
    const sshd = new Sshd(folder, await freePort());
    for (const name of ['host', 'user', 'other'])
      await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path.join(folder, name)]);
    await copyFile(`${sshd.userKey}.pub`, path.join(folder, 'authorized_keys'));
    await sshd.trust('host');
    await writeFile(
      path.join(folder, 'config'),
      [
        `Port ${sshd.port}`,
        'ListenAddress 127.0.0.1',
        `HostKey ${path.join(folder, 'host')}`,
        `AuthorizedKeysFile ${path.join(folder, 'authorized_keys')}`,
        'PidFile none',
        'UsePAM no',
        'PasswordAuthentication no',
        'StrictModes no',
        'MaxSessions 20',
        'MaxStartups 100',
        '',
      ].join('\n'),
    );
    return sshd;
  }

  /** Writes a key of the folder into `knownHosts` as this host's. */
  async trust(name: 'host' | 'other'): Promise<void> {
    const key = (await readFile(path.join(this.#folder, `${name}.pub`), 'utf8')).split(' ').slice(0, 2).join(' ');
    await writeFile(this.knownHosts, `[127.0.0.1]:${this.port} ${key}\n`);
  }

  async start(): Promise<void> {
    if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
    const log = path.join(this.#folder, 'sshd.log');
    const words = ['-D', '-E', log, '-f', path.join(this.#folder, 'config')];
    this.#process = spawn(program, words, { stdio: 'ignore' });
    for (let tries = 0; !(await readFile(log, 'utf8').catch(() => '')).includes('Server listening'); tries += 1) {
      if (tries > 200) throw new Error(`sshd did not start: ${await readFile(log, 'utf8').catch(() => '')}`);
      await sleep(25);
    }
    await appendFile(log, '\n');
  }

  /** Cuts every connection as a broken network would; new ones are let in. Gives how many there were. */
  async cutConnections(): Promise<number> {
    const { pid } = this.#process ?? {};
    if (pid === undefined) return 0;
    const sessions = await descendants(pid);
    for (const session of sessions) killQuietly(session);
    return sessions.length;
  }

  /** Lets every connection hang, as a network does that swallows what is sent; `cutConnections` ends them. */
  async freezeConnections(): Promise<void> {
    for (const session of await descendants(this.#process?.pid ?? 0)) process.kill(session, 'SIGSTOP');
  }

  /** No more connections, old or new; what was started through them runs on. */
  async stop(): Promise<void> {
    await this.cutConnections();
    if (this.#process !== undefined) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await ended;
    }
    this.#process = undefined;
    await writeFile(path.join(this.#folder, 'sshd.log'), '');
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself meanwhile.
  }
}

/** sshd's own processes for its connections; a trainer that left them has another parent by then. */
async function descendants(parent: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    if (stat.includes('(sshd')) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const found: number[] = [];
  const pending = [parent];
  for (let next = pending.pop(); next !== undefined; next = pending.pop())
    for (const [pid, above] of parents)
      if (above === next) {
        found.push(pid);
        pending.push(pid);
      }
  return found;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
