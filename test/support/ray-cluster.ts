import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { writeFileAtomically } from '../../src/core/atomic-file.ts';
import { readConfig } from '../../src/core/config.ts';
import { sha256 } from '../../src/core/digest.ts';
import { packageRoot } from '../../src/core/package-root.ts';
import { findPython } from '../../src/train/python-environment.ts';

const requirements = path.join(packageRoot, 'python/requirements-ray.txt');
const folder = path.join(packageRoot, '.venv-ray');
const marker = path.join(folder, 'osler-requirements.sha256');

/** The Python that has Ray and what a dry run of the trainer needs. */
export const rayPython = path.join(folder, 'bin/python');

/** Makes the environment with Ray, once; gives why that cannot be done here, or undefined. */
export async function whyNoRay(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'finding the processes of its cluster again needs /proc';
  const wanted = sha256(await readFile(requirements));
  if ((await readFile(marker, 'utf8').catch(() => '')) === wanted) return undefined;
  await execa(await findPython(readConfig().python), ['-m', 'venv', '--clear', folder]);
  const words = ['install', '--quiet', '--no-compile', '--disable-pip-version-check', '-r', requirements];
  const result = await execa(rayPython, ['-m', 'pip', ...words], { reject: false });
  if (result.exitCode !== 0) return `Ray cannot be installed: ${result.stderr.split('\n').at(-1) ?? ''}`;
  await writeFileAtomically(marker, wanted);
  return undefined;
}

/** A Ray cluster of one small node on 127.0.0.1, which ends with `stop`. */
export class RayCluster {
  readonly address: string;
  readonly #folder: string;

  private constructor(address: string, folder: string) {
    this.address = address;
    this.#folder = folder;
  }

  static async start(): Promise<RayCluster> {
    // Ray's sockets lie in it, and their paths may not be long.
    const folder = await mkdtemp(path.join(os.tmpdir(), 'osler-ray-'));
    const [port, dashboard, agent, metrics, client] = await freePorts(5);
    const words = [
      '--head',
      '--num-cpus=4',
      '--num-gpus=0',
      '--object-store-memory=80000000',
      '--disable-usage-stats',
      '--node-ip-address=127.0.0.1',
      '--dashboard-host=127.0.0.1',
      `--port=${port}`,
      `--dashboard-port=${dashboard}`,
      `--dashboard-agent-listen-port=${agent}`,
      `--metrics-export-port=${metrics}`,
      `--ray-client-server-port=${client}`,
      `--temp-dir=${folder}`,
    ];
    // Its daemons would keep our pipes open.
    await execa(path.join(path.dirname(rayPython), 'ray'), ['start', ...words], { stdio: 'ignore' });
    return new RayCluster(`http://127.0.0.1:${dashboard}`, folder);
  }

  /** Ends this cluster's processes and no other's: "ray stop" would end every one on the machine. */
  async stop(): Promise<void> {
    for (let tries = 0; tries < 3; tries += 1) for (const pid of await processesWith(this.#folder)) kill(pid);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function processesWith(word: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const texts = [readFile(`/proc/${name}/cmdline`, 'utf8'), readFile(`/proc/${name}/environ`, 'utf8')];
    const [command, environment] = await Promise.all(texts.map(async (text) => await text.catch(() => '')));
    if (command?.includes(word) || environment?.includes(word)) found.push(Number(name));
  }
  return found;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  return await Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      await new Promise((resolve) => server.close(resolve));
      return typeof address === 'object' && address !== null ? address.port : 0;
    }),
  );
}
