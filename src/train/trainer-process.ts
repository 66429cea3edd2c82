import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import type { TrainerHandle } from '../core/schema/run.ts';
import { OSLER_ERR_PYTHON_SETUP } from '../core/errors.ts';
import { trainerArguments } from './launchers/trainer-arguments.ts';
import { trainerEnvironment } from './python-environment.ts';
import { findProcess, processTree } from './process-tree.ts';
import type { RunFolder } from './run-folder.ts';

/** More than a log's last lines. */
const tailBytes = 16 << 10;

/** A trainer that is a process of this machine. */
export type LocalTrainer = Extract<TrainerHandle, { kind: 'local' }>;

/**
 * Starts the Python trainer on its own: events go to the run's file, logs beside it, and it lives on without us.
 *
 * @param options.processes more than one: under torchrun
 * @param options.environment on top of what every Python program of ours gets
 * @throws OSLER_ERR_PYTHON_SETUP
 */
export function startTrainer(options: {
  python: string;
  folder: RunFolder;
  startedAt: string;
  processes?: number;
  environment?: Readonly<Record<string, string>>;
}): LocalTrainer {
  const { folder } = options;
  const events = openSync(folder.events, 'a');
  const log = openSync(folder.log, 'a');
  try {
    // Not execa: it hands no open file to a process that is to outlive it.
    const child = spawn(options.python, trainerArguments(folder.job, options.processes ?? 1), {
      detached: true,
      stdio: ['ignore', events, log],
      env: { ...trainerEnvironment(), ...options.environment },
    });
    child.on('error', () => undefined);
    child.unref();
    if (child.pid === undefined) throw new OSLER_ERR_PYTHON_SETUP('start the trainer', `"${options.python}" could not be started`);
    return { kind: 'local', pid: child.pid, startedAt: options.startedAt };
  } finally {
    closeSync(events);
    closeSync(log);
  }
}

/** Whether that very trainer is still running; another process that was given its number later is not taken for it. */
export async function isTrainerAlive(trainer: LocalTrainer, folder: Pick<RunFolder, 'job'>): Promise<boolean> {
  const command = await readFile(`/proc/${trainer.pid}/cmdline`, 'utf8').catch(() => undefined);
  if (command !== undefined) return command.includes('osler_trainer') && command.includes(folder.job);
  try {
    process.kill(trainer.pid, 0);
    return process.platform !== 'linux';
  } catch {
    return false;
  }
}

/** Asks the trainer to finish its step, save a checkpoint and stop. */
export function stopTrainer(trainer: LocalTrainer): void {
  signal(trainer.pid, 'SIGTERM');
}

/** Ends the trainer at once, with all that it started. */
export async function killTrainer(trainer: LocalTrainer): Promise<void> {
  const tree = await processTree(trainer.pid);
  // Its group first: what it starts meanwhile belongs to that.
  for (const pid of [-trainer.pid, ...tree]) signal(pid, 'SIGKILL');
}

/** The trainer of a run that runs although nobody knows its number: whoever started it died before writing that down. */
export async function findTrainer(folder: Pick<RunFolder, 'job'>): Promise<number | undefined> {
  return await findProcess(['osler_trainer', 'train', folder.job]);
}

/** Last lines of the trainer's log, for an error message. */
export async function tailLog(file: string, lines = 5): Promise<string> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - tailBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead).trim().split('\n').slice(-lines).join('\n');
  } finally {
    await handle.close();
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself meanwhile.
  }
}
