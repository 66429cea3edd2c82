import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { TrainerHandle } from '../core/schema/run.ts';
import { OSLER_ERR_PYTHON_SETUP } from '../core/errors.ts';
import { trainerEnvironment } from './python-environment.ts';
import type { RunFolder } from './run-folder.ts';

/** A trainer that is a process of this machine. */
export type LocalTrainer = Extract<TrainerHandle, { kind: 'local' }>;

/** Starts the Python trainer on its own: events go to the run's file, logs beside it, and it lives on without us. */
export function startTrainer(options: { python: string; folder: RunFolder; startedAt: string }): LocalTrainer {
  const { folder } = options;
  const events = openSync(folder.events, 'a');
  const log = openSync(folder.log, 'a');
  try {
    // Not execa: it hands no open file to a process that is to outlive it.
    const child = spawn(options.python, ['-m', 'osler_trainer', 'train', folder.job], {
      detached: true,
      stdio: ['ignore', events, log],
      env: trainerEnvironment(),
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
  try {
    process.kill(trainer.pid, 'SIGTERM');
  } catch {
    // It has ended by itself meanwhile.
  }
}

/** Last lines of the trainer's log, for an error message. */
export async function tailLog(file: string, lines = 5): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-lines).join('\n');
}
