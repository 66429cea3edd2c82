import { rm } from 'node:fs/promises';
import { diskUsage } from '../core/disk-usage.ts';
import { messageOf, OSLER_ERR_RUN_STATE } from '../core/errors.ts';
import { isEnded, type Run } from '../core/schema/run.ts';
import type { Launcher } from './launchers/launcher.ts';
import type { ModelStore } from './model-store.ts';
import { removeRemoteCopy } from './remote-copy.ts';
import { type RunFolder, runFolder } from './run-folder.ts';
import { tryLockRun } from './run-lock.ts';
import type { TellNotice } from './run-notices.ts';
import type { RunStore } from './run-store.ts';

export interface DeleteRunDeps {
  readonly home: string;
  readonly runs: RunStore;
  readonly models: ModelStore;
  /** Opens a launcher by name. */
  readonly launcher: (name: string) => Promise<Launcher>;
  /** Told what stays on another machine that could not be reached. */
  readonly onNotice?: TellNotice | undefined;
}

/**
 * Deletes a run for good: what its launcher's machine holds of it, its folder, with rows, checkpoints and the model it made,
 * then its entries in the store. A machine that cannot be reached is told of and keeps its copy.
 * Broken off, the entries are still there, and the same call goes on.
 *
 * @returns bytes that were freed
 * @throws OSLER_ERR_NOT_FOUND, and OSLER_ERR_RUN_STATE for a run at work or whose model is promoted
 */
export async function deleteRun(deps: DeleteRunDeps, id: string, options: { isPromotedToo?: boolean } = {}): Promise<number> {
  const { home, runs, models } = deps;
  const run = runs.get(id);
  const folder = runFolder(home, id);
  if (options.isPromotedToo !== true && isPromoted(models, id))
    throw new OSLER_ERR_RUN_STATE(id, run.state, 'its model is promoted. To delete both: npx osler runs delete --promoted-too');
  const usage = await diskUsage(folder.root);
  const unlock = tryLockRun(folder);
  if (unlock === undefined) throw atWork(run);
  try {
    if (await isTraining(run, folder, deps)) throw atWork(run);
    await removeRemoteCopy(folder, deps.launcher).catch((error: unknown) => {
      deps.onNotice?.(`${messageOf(error)} Remove that folder by hand: the run is deleted here.`);
    });
    await rm(folder.root, { recursive: true, force: true });
    models.deleteOfRun(id);
    runs.delete(id);
    return usage?.bytes ?? 0;
  } finally {
    unlock();
  }
}

/** Whether a model that the run made is in use by name. */
export function isPromoted(models: ModelStore, runId: string): boolean {
  return models.listOfRun(runId).some((model) => model.status === 'promoted');
}

function atWork({ id, state }: Run): Error {
  return new OSLER_ERR_RUN_STATE(id, state, `it is at work. Cancel it first: npx osler runs cancel ${id}`);
}

/** A run that says it trains, but whose processes are all gone (the machine lost power), does not. */
async function isTraining(run: Run, folder: RunFolder, deps: DeleteRunDeps): Promise<boolean> {
  if (run.trainer === null) return false;
  const launcher = await deps.launcher(run.launcher);
  // A machine that does not answer any more must not keep a run that has ended from being deleted.
  return await launcher.isAlive(run.trainer, folder).catch((error: unknown) => {
    if (isEnded(run.state)) return false;
    throw error;
  });
}
