import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { diskUsage } from '../core/disk-usage.ts';
import type { Removable } from '../core/removable.ts';
import { isEnded, type Run } from '../core/schema/run.ts';
import { type DeleteRunDeps, deleteRun, isPromoted } from './delete-run.ts';
import { readRemoteCopy, removeRemoteCopy } from './remote-copy.ts';
import { runFolder } from './run-folder.ts';

/** The trainer's, and those it has put aside. */
const checkpointFolder = /^outputs(?:-before-\d+)?$/;

/** Runs that ended before a moment, except those whose model is promoted. */
export async function listOldRuns(deps: DeleteRunDeps, before: Date): Promise<Removable[]> {
  const old = endedBefore(deps, before).filter((run) => !isPromoted(deps.models, run.id));
  return await Promise.all(
    old.map(async (run) => ({
      kind: 'runs' as const,
      name: run.id,
      bytes: (await diskUsage(runFolder(deps.home, run.id).root))?.bytes ?? 0,
      lastUsed: new Date(run.updatedAt),
      remove: async () => {
        await deleteRun(deps, run.id);
      },
    })),
  );
}

/**
 * Checkpoints of runs that ended before a moment and cannot be resumed; a stopped or failed run needs its own. With those of
 * a run that is done goes what its launcher's machine still holds of it, if all of that was fetched.
 */
export async function listOldCheckpoints(deps: DeleteRunDeps, before: Date): Promise<Removable[]> {
  const final = endedBefore(deps, before).filter((run) => run.state === 'done' || run.state === 'cancelled');
  const found: Removable[] = [];
  for (const run of final) {
    const { root } = runFolder(deps.home, run.id);
    const names = (await readdir(root).catch(() => [])).filter((name) => checkpointFolder.test(name));
    const folders = names.map((name) => path.join(root, name));
    const usages = await Promise.all(folders.map(diskUsage));
    const bytes = usages.reduce((sum, usage) => sum + (usage?.bytes ?? 0), 0);
    const copy = run.state === 'done' ? await readRemoteCopy(runFolder(deps.home, run.id)) : undefined;
    const remove = async (): Promise<void> => {
      for (const folder of folders) await rm(folder, { recursive: true, force: true });
      if (copy?.isFetched === true) await removeRemoteCopy(runFolder(deps.home, run.id), deps.launcher);
    };
    if (folders.length > 0 || copy?.isFetched === true)
      found.push({ kind: 'checkpoints', name: run.id, bytes, lastUsed: new Date(run.updatedAt), remove });
  }
  return found;
}

function endedBefore({ runs }: DeleteRunDeps, before: Date): Run[] {
  return runs.list().filter((run) => isEnded(run.state) && new Date(run.updatedAt) < before);
}
