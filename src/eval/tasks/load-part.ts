import type { Question } from '../../core/schema/question.ts';
import type { TaskOrigin } from '../schema/task-origin.ts';
import { type CheckedItems, checkItems } from './check-items.ts';
import type { FoundManifest } from './find-manifest.ts';
import { givenRows, type LocatedRows, locateAtHand, locateRows, type TaskData } from './locate-rows.ts';
import { readRows } from './read-rows.ts';
import type { TaskManifest, TaskPart } from './task-manifest.ts';

/** A part of a benchmark, read and checked; nothing is chosen or left out yet. */
export interface LoadedTask extends CheckedItems {
  readonly task: string;
  readonly measures: TaskPart['measures'];
  /** What its rows are called in messages. */
  readonly label: string;
  readonly rows: number;
  readonly origin: Pick<TaskOrigin, 'source' | 'revision' | 'licence' | 'caution' | 'hub' | 'files'>;
}

/** Reads every part of a benchmark. Throws what `locateRows` and `readRows` throw. */
export async function loadBenchmark({ manifest, folder }: FoundManifest, data: TaskData): Promise<LoadedTask[]> {
  const parts: LoadedTask[] = [];
  for (const part of manifest.parts) parts.push(await loadPart(manifest, part, await locateRows(part, folder, data)));
  return parts;
}

/** Reads the first part of a benchmark from a file that a user says to hold its rows. */
export async function loadBenchmarkFile({ manifest }: FoundManifest, file: string): Promise<LoadedTask[]> {
  const [part] = manifest.parts;
  return part === undefined ? [] : [await loadPart(manifest, part, givenRows(part, file))];
}

/** Whether the rows of every part are on this machine, so that reading them asks no Hub. */
export async function isAtHand({ manifest }: FoundManifest, folder: string | null): Promise<boolean> {
  for (const part of manifest.parts) if (part.hub !== undefined && (await locateAtHand(part, folder)) === null) return false;
  return true;
}

async function loadPart(manifest: TaskManifest, part: TaskPart, located: LocatedRows): Promise<LoadedTask> {
  const { rows, columns } = await readRows(located);
  const { source, licence, caution } = manifest;
  // Rows in place of the Hub's may be of any revision.
  const revision = located.hub?.commit ?? (part.hub === undefined ? manifest.revision : 'not stated');
  return {
    task: part.task,
    measures: part.measures,
    label: located.names.length === 1 ? `${part.task} (${located.names[0] ?? ''})` : part.task,
    rows: rows.length,
    origin: { source, revision, licence, ...(caution !== undefined && { caution }), hub: located.hub, files: [...located.names] },
    ...checkItems(rows, { task: part.task, columns, prompt: part.prompt, accepts: part.accepts }),
  };
}

/** Rows of a run that were held out of its training: their thought and answer are scored. */
export function heldOutTask(file: string, items: readonly Question[]): LoadedTask {
  return {
    task: 'heldout',
    measures: ['likelihood'],
    label: file,
    rows: items.length,
    items,
    faults: [],
    accepted: [],
    origin: { source: 'held-out rows of the run', revision: 'not stated', licence: 'that of the training rows', hub: null, files: [file] },
  };
}
