import { setTimeout as sleep } from 'node:timers/promises';
import type { Run, TrainerHandle } from '../core/schema/run.ts';
import type { Launcher } from './launchers/launcher.ts';
import type { ReportStep } from './python-environment.ts';
import type { RunFolder } from './run-folder.ts';
import { isWorkedOn, tryLockRun } from './run-lock.ts';
import type { RunStore } from './run-store.ts';

export interface QueueOptions {
  readonly runs: RunStore;
  readonly launcher: Launcher;
  readonly folderOf: (id: string) => RunFolder;
  readonly pollMs: number;
  readonly signal: AbortSignal;
  readonly onStep?: ReportStep | undefined;
}

/**
 * Waits until a queued run may have its slots (one a process of its trainer), and takes them. First in, first out, whichever
 * process works on a run; one whose process has died waits for nobody to pick it up, and holds up nobody.
 *
 * @returns numbers of the slots, from 0
 */
export async function waitForSlots(run: Run, options: QueueOptions): Promise<number[]> {
  const { runs, launcher, signal } = options;
  const total = Math.max(1, await launcher.slots());
  // On a machine without GPUs, several processes share its one slot.
  const needed = Math.min(run.recipe.trainer.processes, total);
  let told = '';
  for (;;) {
    signal.throwIfAborted();
    const isFirst = !runs.slots.queuedBefore(run.id).some((id) => isWorkedOn(options.folderOf(id)));
    const slots = isFirst ? runs.slots.take(run.id, needed, total) : undefined;
    if (slots !== undefined) return slots;
    if (isFirst) await freeDeadSlots(options);
    const place = placeInQueue(runs.get(run.id));
    if (place !== told && place !== '') options.onStep?.(place);
    told = place;
    await sleep(options.pollMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Where a queued run is, in words; empty for one that is not queued. */
export function placeInQueue({ runsBefore, launcher }: Pick<Run, 'runsBefore' | 'launcher'>): string {
  if (runsBefore === null) return '';
  const before = runsBefore === 1 ? '1 run' : `${runsBefore} runs`;
  return runsBefore === 0 ? `waiting: next, once a slot of "${launcher}" is free` : `waiting: ${before} before this one`;
}

/** Takes slots from runs whose process and whose trainer have both died. */
async function freeDeadSlots({ runs, launcher, folderOf }: QueueOptions): Promise<void> {
  for (const { id, trainer } of runs.slots.holders(launcher.name)) {
    const folder = folderOf(id);
    if (isWorkedOn(folder) || (trainer !== null && (await mayBeAlive(launcher, trainer, folder)))) continue;
    const unlock = tryLockRun(folder);
    if (unlock === undefined) continue;
    // Under its lock: whoever takes the run up again meanwhile sees that it has no slot any more.
    const isSame = runs.slots.holders(launcher.name).some((holder) => holder.id === id && isSameTrainer(holder.trainer, trainer));
    if (isSame) runs.slots.release(id);
    unlock();
  }
}

async function mayBeAlive(launcher: Launcher, trainer: TrainerHandle, folder: RunFolder): Promise<boolean> {
  // Where nobody answers, nothing is known, and a GPU is not given away twice.
  return await launcher.isAlive(trainer, folder).catch(() => true);
}

function isSameTrainer(a: TrainerHandle | null, b: TrainerHandle | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
