import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { writeFileAtomically } from '../core/atomic-file.ts';
import { childEnvironment } from '../core/config.ts';
import { sha256 } from '../core/digest.ts';
import { OSLER_ERR_PYTHON_MISSING, OSLER_ERR_PYTHON_SETUP } from '../core/errors.ts';
import { lockFolder } from '../core/folder-lock.ts';
import { packageRoot } from '../core/package-root.ts';

/** Told what is being set up, in a few words, as it begins. */
export type ReportStep = (step: string) => void;

const requirements = path.join(packageRoot, 'python/requirements-cpu.txt');
const shownErrorLines = 8;

/** Folder of the trainer's Python sources. */
export const trainerSources = path.join(packageRoot, 'python');

/** Content of the marker in an environment that was made by other means, such as an image for CUDA: it is taken as it is. */
const providedMarker = 'provided';
const markerName = 'osler-requirements.sha256';

/**
 * Makes an environment with the pinned requirements, once; later calls find it ready.
 * A set-up that was broken off is taken up again: pip keeps what is there.
 *
 * @param options.venv its folder; null or left out: `.venv` beside package.json
 * @returns path of the environment's python
 * @throws OSLER_ERR_PYTHON_MISSING, OSLER_ERR_PYTHON_SETUP
 */
export async function ensurePython(options: {
  python: string | null;
  venv?: string | null;
  onStep?: ReportStep | undefined;
  signal?: AbortSignal | undefined;
}): Promise<string> {
  const folder = environmentFolder(options.venv ?? null);
  const python = path.join(folder, 'bin/python');
  const marker = path.join(folder, markerName);
  const wanted = sha256(await readFile(requirements));
  const isReady = (): Promise<boolean> => isPythonReady(options.venv ?? null);
  if (await isReady()) return python;
  const around = path.dirname(folder);
  await mkdir(around, { recursive: true });
  const unlock = await lockFolder(around, () => options.signal?.throwIfAborted());
  try {
    if (!(await isReady())) {
      await makeEnvironment({ ...options, folder, wanted: options.python });
      await writeFileAtomically(marker, wanted);
    }
    return python;
  } finally {
    unlock();
  }
}

/** Whether the environment is complete, without making it. */
export async function isPythonReady(venv: string | null): Promise<boolean> {
  const folder = environmentFolder(venv);
  const wanted = sha256(await readFile(requirements));
  return (
    existsSync(path.join(folder, 'bin/python')) &&
    [wanted, providedMarker].includes((await readFile(path.join(folder, markerName), 'utf8').catch(() => '')).trim())
  );
}

function environmentFolder(venv: string | null): string {
  return venv ?? path.join(packageRoot, '.venv');
}

interface MakeOptions {
  readonly folder: string;
  /** Interpreter to make it with; null: look for one. */
  readonly wanted: string | null;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

async function makeEnvironment(options: MakeOptions): Promise<void> {
  const { folder } = options;
  const python = path.join(folder, 'bin/python');
  const run = async (step: string, command: string, ...words: string[]): Promise<void> => {
    options.onStep?.(step);
    const result = await execa(command, words, { reject: false, all: true, ...(options.signal && { cancelSignal: options.signal }) });
    options.signal?.throwIfAborted();
    if (result.exitCode !== 0) throw new OSLER_ERR_PYTHON_SETUP(step, result.all.split('\n').slice(-shownErrorLines).join('\n'));
  };
  // Always: a set-up that was broken off may have left a Python without pip.
  await run(`make ${path.basename(folder)}`, await findPython(options.wanted), '-m', 'venv', folder);
  // Compiling 20,000 files to bytecode takes minutes on two cores; Python does it for the few that are used.
  await run(
    'install torch, transformers, trl and peft',
    python,
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-compile',
    '--disable-pip-version-check',
    '-r',
    requirements,
  );
}

/** Settings of every Python program of ours, on whatever machine it runs. */
export const trainerSettings = {
  // Threads that wait sleep instead of spinning: another busy process then costs its share, not a tenfold slowdown.
  OMP_WAIT_POLICY: 'PASSIVE',
  PYTHONUNBUFFERED: '1',
  TOKENIZERS_PARALLELISM: 'false',
  HF_HUB_DISABLE_TELEMETRY: '1',
  // torchrun hands a wish to stop on to its processes and ends them after so many seconds; 30 may be less than a step.
  TORCH_ELASTIC_SHUTDOWN_TIMEOUT: '300',
} as const;

/** Environment of every Python program of ours on this machine. */
export function trainerEnvironment(): NodeJS.ProcessEnv {
  return childEnvironment({ ...trainerSettings, PYTHONPATH: trainerSources });
}

/** A Python of 3.11 or newer (TRL 1.15.0 and its dependencies want no less) that can make virtual environments. */
export async function findPython(wanted: string | null): Promise<string> {
  const tried: string[] = [];
  const candidates = wanted === null ? ['python3', 'python3.13', 'python3.12', 'python3.11', 'python'] : [wanted];
  for (const candidate of candidates) {
    const result = await execa(candidate, ['-c', 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])'], { reject: false });
    const [major = 0, minor = 0] = result.exitCode === 0 ? result.stdout.split('.').map(Number) : [];
    if (major === 3 && minor >= 11) return candidate;
    if (result.exitCode === 0) tried.push(`"${candidate}" is ${result.stdout}`);
  }
  throw new OSLER_ERR_PYTHON_MISSING(tried.length > 0 ? tried.join(', ') : `none was found (looked for: ${candidates.join(', ')})`);
}
