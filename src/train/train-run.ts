import { existsSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../core/errors.ts';
import { type Run, RunState, type TrainerHandle } from '../core/schema/run.ts';
import type { TrainEvent } from '../core/schema/train-event.ts';
import { recordFetchedBase } from './base-files.ts';
import { endHalfLine, readEvents } from './event-file.ts';
import { followTrainer, type TrainerOutcome } from './follow-trainer.ts';
import type { Launcher } from './launchers/launcher.ts';
import { prepareRun } from './prepare-run.ts';
import { noteRemoteCopy } from './remote-copy.ts';
import { noteTrained } from './run-digests.ts';
import { type RunFolder, runFolder } from './run-folder.ts';
import { runNotices, type TellNotice } from './run-notices.ts';
import { waitForSlots } from './run-queue.ts';
import { TrainerLink } from './trainer-link.ts';
import { TrainerPulse } from './trainer-pulse.ts';
import { checkFinished } from './trainer-verdict.ts';
import type { RunOptions, TrainingsDeps } from './training-deps.ts';
import type { TrainingTimes } from './training-times.ts';

export interface TrainRunOptions extends RunOptions {
  readonly signal: AbortSignal;
  readonly times: TrainingTimes;
}

/** States by the stage that the trainer says it is in; saving belongs to the one before it. */
const stateOfStage: Partial<Record<Extract<TrainEvent, { type: 'stage' }>['stage'], RunState>> = {
  preparing: 'preparing',
  training: 'training',
  merging: 'merging',
  reference: 'merging',
};

/**
 * Takes a run from wherever it is to a merged model on this machine: waits for a slot, starts the trainer or finds it again,
 * follows it, and brings what it made.
 *
 * @throws what ended it before; OSLER_ERR_INTERRUPTED where it was stopped
 */
export async function trainRun(run: Run, deps: TrainingsDeps, options: TrainRunOptions): Promise<void> {
  const folder = runFolder(deps.config.home, run.id);
  if (run.trainer === null && (await isTrained(run, folder, deps))) return;
  const tell = runNotices(folder, deps.clock, options.onEvent);
  const launcher = await deps.launcher(run.launcher, tell);
  const found = await findTrainer(run, folder, launcher, deps);
  const trainer = found ?? (await startTrainer(run, folder, launcher, deps, options));
  const outcome = await followToEnd(run, trainer, folder, launcher, deps, options);
  await checkFinished(run.id, outcome, folder);
  await recordFetchedBase(folder);
  await launcher.fetch(trainer, folder, outcome.artifacts, options.signal);
  const isWhole = await fetchTracking(run, trainer, folder, launcher, { tell, signal: options.signal });
  await noteTrained(folder, outcome.artifacts, launcher.clean === undefined ? null : deps.clock.now().getTime());
  await noteRemoteCopy(folder, launcher, trainer, isWhole);
  deps.runs.setTrainer(run.id, null);
}

/** Curves are no reason to fail a run. Gives whether they are here, where there are any. */
async function fetchTracking(
  run: Run,
  trainer: TrainerHandle,
  folder: RunFolder,
  launcher: Launcher,
  { tell, signal }: { readonly tell: TellNotice; readonly signal: AbortSignal },
): Promise<boolean> {
  if (run.recipe.tracking.reportTo.length === 0) return true;
  try {
    await launcher.fetchTracking?.(trainer, folder, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    tell(`The trackers' files were not fetched, and stay in the run's folder on "${launcher.name}": ${messageOf(error)}`);
    return false;
  }
}

/** Whether an earlier try came to its end, and what it made is here. */
async function isTrained(run: Run, folder: RunFolder, { runs }: TrainingsDeps): Promise<boolean> {
  const events = await readEvents(folder.events, { fromBytes: runs.eventsFrom(run.id) });
  const hasFinished = events.some((event) => event.type === 'finished');
  return hasFinished && (run.isDryRun || existsSync(path.join(folder.merged, 'config.json')));
}

/**
 * A trainer that was started by another process, now dead, and that runs, has finished or has failed. One that was killed with
 * that process, or asked to stop by the machine's shutdown, is none: it is started again.
 */
async function findTrainer(run: Run, folder: RunFolder, launcher: Launcher, { runs }: TrainingsDeps): Promise<TrainerHandle | null> {
  const { id, trainer } = run;
  if (trainer !== null) {
    // A host that does not answer is forgiven for a while by whoever follows.
    if (await launcher.isAlive(trainer, folder).catch(() => true)) return trainer;
    await launcher.sync(trainer, folder);
    const events = await readEvents(folder.events, { fromBytes: runs.eventsFrom(id) });
    if (events.some(({ type }) => type === 'finished' || type === 'failed')) return trainer;
  }
  runs.slots.giveBack(id);
  return null;
}

async function startTrainer(
  run: Run,
  folder: RunFolder,
  launcher: Launcher,
  deps: TrainingsDeps,
  options: TrainRunOptions,
): Promise<TrainerHandle> {
  const { runs, clock, config } = deps;
  const { signal, onStep } = options;
  const folderOf = (id: string): RunFolder => runFolder(config.home, id);
  const slots = await waitForSlots(run, { runs, launcher, folderOf, pollMs: options.times.queueMs, signal, onStep });
  try {
    const base = await prepareRun(run, folder, deps, { signal, onStep });
    runs.setEventsFrom(run.id, await endHalfLine(folder.events));
    signal.throwIfAborted();
    await noteRemoteCopy(folder, launcher, null, false);
    const trainer = await launcher.start({
      folder,
      ...base,
      processes: run.recipe.trainer.processes,
      slots,
      startedAt: clock.now().toISOString(),
      onStep,
      signal,
    });
    await noteRemoteCopy(folder, launcher, trainer, false);
    runs.setTrainer(run.id, trainer);
    return trainer;
  } catch (error) {
    runs.slots.release(run.id);
    throw error;
  }
}

async function followToEnd(
  run: Run,
  trainer: TrainerHandle,
  folder: RunFolder,
  launcher: Launcher,
  deps: TrainingsDeps,
  options: TrainRunOptions,
): Promise<TrainerOutcome> {
  const { runs, clock } = deps;
  const { times, signal } = options;
  let { state } = runs.get(run.id);
  const outcome = await followTrainer({
    link: new TrainerLink({ launcher, trainer, folder, times }),
    pulse: new TrainerPulse(times, () => clock.now()),
    folder,
    fromBytes: runs.eventsFrom(run.id),
    times,
    signal,
    isCancelled: () => runs.wishOf(run.id) === 'cancel',
    onEvent: (event) => {
      const next = stateAfter(event);
      // Whoever takes a run over reads its events again: it does not go back to its beginnings.
      if (next !== undefined && isLater(next, state)) {
        runs.setState(run.id, next);
        state = next;
      }
      options.onEvent?.(event);
    },
  });
  // A trainer that is out of reach may still hold its GPU.
  if (outcome.lost !== null) return outcome;
  runs.slots.release(run.id);
  if (outcome.end?.type !== 'finished' || runs.wishOf(run.id) === 'cancel') runs.setTrainer(run.id, null);
  return outcome;
}

function isLater(state: RunState, than: RunState): boolean {
  return RunState.options.indexOf(state) > RunState.options.indexOf(than);
}

function stateAfter(event: TrainEvent): RunState | undefined {
  if (event.type === 'stage') return stateOfStage[event.stage];
  // A dry run names no stages.
  return event.type === 'progress' ? 'training' : undefined;
}
