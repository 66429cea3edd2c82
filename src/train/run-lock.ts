import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { lockFolder, tryLockFolder } from '../core/folder-lock.ts';
import { OSLER_ERR_RUN_STATE } from '../core/errors.ts';
import type { Run } from '../core/schema/run.ts';
import type { RunFolder } from './run-folder.ts';

/** Others hold the lock for a moment, to see whether it is held. */
const patienceMs = 2000;

/**
 * Takes a run for this process: a second one would start a second trainer in the same folder.
 *
 * @returns what lets go of it
 * @throws OSLER_ERR_RUN_STATE where another process works on it
 */
export async function lockRun(run: Run, folder: Pick<RunFolder, 'root'>): Promise<() => void> {
  await mkdir(folder.root, { recursive: true });
  const endMs = performance.now() + patienceMs;
  return await lockFolder(folder.root, () => {
    if (performance.now() > endMs)
      throw new OSLER_ERR_RUN_STATE(
        run.id,
        run.state,
        `another osler process works on it. Follow it with: npx osler runs show ${run.id} --follow`,
      );
  });
}

/** Takes a run where nobody works on it, or gives undefined. A run without a folder is nobody's. */
export function tryLockRun(folder: Pick<RunFolder, 'root'>): (() => void) | undefined {
  return existsSync(folder.root) ? tryLockFolder(folder.root) : () => undefined;
}

/** Whether a process, this one included, works on a run. */
export function isWorkedOn(folder: Pick<RunFolder, 'root'>): boolean {
  const unlock = tryLockRun(folder);
  unlock?.();
  return unlock === undefined;
}
