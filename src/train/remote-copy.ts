import { rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeJsonAtomically } from '../core/atomic-file.ts';
import { messageOf, OSLER_ERR_LAUNCHER_COPY } from '../core/errors.ts';
import { readJsonFile } from '../core/read-json-file.ts';
import { TrainerHandle } from '../core/schema/run.ts';
import type { Launcher } from './launchers/launcher.ts';
import type { RunFolder } from './run-folder.ts';

/** remote.json of a run: what the machine of its launcher holds of it, from before anything is sent until it is removed there. */
const RemoteCopy = z.strictObject({
  launcher: z.string(),
  trainer: TrainerHandle.nullable().describe('the last one; null: it was not started'),
  isFetched: z.boolean().describe('all that it made is here and was checked'),
});
type RemoteCopy = z.infer<typeof RemoteCopy>;

/** Notes what a launcher's machine holds of a run; nothing for one that works in the run's own folder. */
export async function noteRemoteCopy(
  folder: RunFolder,
  launcher: Launcher,
  trainer: TrainerHandle | null,
  isFetched: boolean,
): Promise<void> {
  if (launcher.clean === undefined) return;
  await writeJsonAtomically(folder.remote, { launcher: launcher.name, trainer, isFetched } satisfies RemoteCopy);
}

/** What another machine holds of a run; undefined: nothing. */
export async function readRemoteCopy(folder: Pick<RunFolder, 'remote'>): Promise<RemoteCopy | undefined> {
  return await readJsonFile(folder.remote, RemoteCopy);
}

/**
 * Removes what another machine holds of a run, whether it was fetched or not, and the note of it.
 *
 * @throws OSLER_ERR_LAUNCHER_COPY, where the copy stays
 */
export async function removeRemoteCopy(folder: RunFolder, open: (launcher: string) => Promise<Launcher>): Promise<void> {
  const copy = await readRemoteCopy(folder);
  if (copy === undefined) return;
  const there = copy.trainer === null || copy.trainer.kind === 'local' ? `runs/${path.basename(folder.root)}` : copy.trainer.folder;
  let isGone: boolean | undefined;
  try {
    isGone = await (await open(copy.launcher)).clean?.(folder, copy.trainer);
  } catch (error) {
    throw new OSLER_ERR_LAUNCHER_COPY(there, copy.launcher, messageOf(error));
  }
  if (isGone === false)
    throw new OSLER_ERR_LAUNCHER_COPY(there, copy.launcher, 'a trainer is at work there, or launchers.json names another folder by now.');
  await rm(folder.remote, { force: true });
}
