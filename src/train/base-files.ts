import { writeJsonAtomically } from '../core/atomic-file.ts';
import type { Run } from '../core/schema/run.ts';
import { readEvents } from './event-file.ts';
import { baseFolder, type ContentFolder, contentFolder } from './launchers/content-folder.ts';
import { modelFile } from './resolve-model.ts';
import type { RunFolder } from './run-folder.ts';
import { readSource, type RunSource } from './run-source.ts';
import type { StageOptions } from './training-deps.ts';

/** Directly in its folder: what lies deeper, such as checkpoints beside it, nobody reads. */
const isRead = (file: string): boolean => modelFile.test(file) && !file.includes('/');

type BaseFiles = NonNullable<RunSource['base']['files']>;

/**
 * Reads a base that this machine has, once a start: all that goes to another machine, or what a trainer here reads and is
 * not on record yet. Undefined: nothing needs reading.
 */
export async function readBase(
  basePath: string,
  run: Pick<Run, 'launcher' | 'isDryRun'>,
  recorded: BaseFiles | undefined,
  { onStep, signal }: StageOptions,
): Promise<ContentFolder | undefined> {
  const isSent = run.launcher !== 'local';
  if (!isSent && (recorded !== undefined || run.isDryRun)) return undefined;
  onStep?.('checksums of the base model');
  return await (isSent ? baseFolder(basePath, signal) : contentFolder(basePath, isRead, signal));
}

/** What is recorded of a base as the training begins: the files that a trainer reads of it. */
export function recordOf({ files }: ContentFolder): BaseFiles {
  return files.filter(({ path: name }) => isRead(name));
}

/** Puts into source.json what the first trainer of a run told of a base that it fetched by itself. */
export async function recordFetchedBase(folder: RunFolder): Promise<void> {
  const source = await readSource(folder);
  if (source === undefined || source.base.files !== undefined) return;
  const told = (await readEvents(folder.events)).find((event) => event.type === 'base');
  if (told === undefined) return;
  const base = { ...source.base, revision: told.revision ?? source.base.revision, files: told.files };
  await writeJsonAtomically(folder.source, { ...source, base } satisfies RunSource);
}
