import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { TrainJob } from '../../core/schema/train-job.ts';
import type { RunFolder } from '../run-folder.ts';

/** A job as it is on another machine, and the files of the run that it names. */
export interface RemoteJob {
  readonly job: TrainJob;
  /** Names below the run's folder, here and there alike. */
  readonly files: readonly string[];
}

/** The prepared job of a run, as `job.json` says. */
export async function readTrainJob(folder: RunFolder): Promise<TrainJob> {
  return TrainJob.parse(JSON.parse(await readFile(folder.job, 'utf8')));
}

/**
 * Rewrites every path into the run's folder for another machine, whatever its field is called.
 *
 * @param there absolute path of the run's folder on that machine, POSIX
 * @param basePath folder of the base there, or a Hub id
 */
export function remoteJob(job: TrainJob, folder: Pick<RunFolder, 'root'>, there: string, basePath: string, threads: number): RemoteJob {
  const files: string[] = [];
  const moved = Object.entries(job).map(([key, value]) => {
    if (typeof value !== 'string' || (value !== folder.root && !value.startsWith(folder.root + path.sep))) return [key, value] as const;
    const name = path.relative(folder.root, value).split(path.sep).join('/');
    if (name !== '') files.push(name);
    return [key, path.posix.join(there, name)] as const;
  });
  return { job: TrainJob.parse({ ...Object.fromEntries(moved), basePath, threads }), files };
}
