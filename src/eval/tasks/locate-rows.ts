import { existsSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../core/config.ts';
import { OSLER_ERR_DATA_EMPTY } from '../../core/errors.ts';
import { downloadSnapshot } from '../../core/hub/snapshot.ts';
import { matchingFiles } from '../../core/rows/matching-files.ts';
import type { TaskOrigin } from '../schema/task-origin.ts';
import type { ColumnMapping, TaskPart } from './task-manifest.ts';

type HubRows = NonNullable<TaskPart['hub']>;

/** What reading benchmarks needs of this machine. */
export interface TaskData {
  readonly config: Pick<Config, 'home' | 'hubEndpoint' | 'hubToken' | 'benchmarkData'>;
  /** Commits by task that an evaluation was planned with; it goes on with them, whatever branches mean now. */
  readonly commits?: ReadonlyMap<string, string> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A shape that rows may have; null: questions in our own form. */
export interface RowForm {
  readonly columns: ColumnMapping | null;
  readonly where?: Readonly<Record<string, string>> | undefined;
}

/** Files of a part on this machine, in the order of their rows. */
export interface LocatedRows {
  readonly files: readonly string[];
  /** Names of the files for people. */
  readonly names: readonly string[];
  /** Shapes that their rows may have; the first that fits counts. */
  readonly forms: readonly RowForm[];
  readonly hub: TaskOrigin['hub'];
}

/**
 * The rows of a part: beside its manifest, or in the folder of benchmark data, or from the Hub.
 *
 * @throws OSLER_ERR_HUB_*, OSLER_ERR_DATA_EMPTY, OSLER_ERR_INTERRUPTED
 */
export async function locateRows(part: TaskPart, folder: string, data: TaskData): Promise<LocatedRows> {
  const { file, columns, where, hub } = part;
  if (file !== undefined) return given(path.resolve(folder, file), [{ columns: columns ?? null, where }]);
  // The manifest's schema asks for one of the two.
  if (hub === undefined) throw new Error(`part ${part.task} names no rows`);
  return (await locateAtHand(part, data.config.benchmarkData)) ?? (await onHub(hub, part.task, data));
}

/** One file that a user says to hold the rows of a part. */
export function givenRows(part: TaskPart, file: string): LocatedRows {
  return given(path.resolve(file), formsOf(part));
}

/** Rows of a part in the folder of benchmark data: in a file of their own, or as the Hub's files lie in OWNER/NAME; null where there are none. */
export async function locateAtHand(part: TaskPart, folder: string | null): Promise<LocatedRows | null> {
  if (folder === null) return null;
  const names = [...(part.local?.files ?? []), `${part.task}.jsonl`, `${part.task}.parquet`];
  const own = names.map((name) => path.join(folder, name)).find((file) => existsSync(file));
  if (own !== undefined) return given(own, formsOf(part));
  const { hub } = part;
  const clone = path.join(folder, hub?.repo ?? '');
  if (hub === undefined || !existsSync(clone)) return null;
  const found = matchingFiles(await Array.fromAsync(glob(hub.files, { cwd: clone })), hub.files);
  return found.length === 0
    ? null
    : { files: found.map((file) => path.join(clone, file)), names: found, forms: [{ columns: hub.columns, where: hub.where }], hub: null };
}

function formsOf({ local, hub, columns, where }: TaskPart): RowForm[] {
  return [
    ...(local === undefined ? [] : [{ columns: local.columns, where: local.where }]),
    ...(hub === undefined ? [{ columns: columns ?? null, where }] : [{ columns: hub.columns, where: hub.where }]),
  ];
}

function given(file: string, forms: readonly RowForm[]): LocatedRows {
  return { files: [file], names: [path.basename(file)], forms, hub: null };
}

async function onHub(hub: HubRows, task: string, { config, commits, signal }: TaskData): Promise<LocatedRows> {
  const snapshot = await downloadSnapshot({
    endpoint: config.hubEndpoint,
    token: config.hubToken,
    type: 'dataset',
    repo: hub.repo,
    revision: commits?.get(task) ?? hub.revision,
    cacheDir: path.join(config.home, 'cache/hub'),
    select: (file) => matchingFiles([file], hub.files).length > 0,
    signal,
  });
  const paths = snapshot.files.map((file) => file.path);
  const found = matchingFiles(paths, hub.files);
  if (found.length === 0) throw new OSLER_ERR_DATA_EMPTY(hub.repo, ` in a file "${hub.files.join('", "')}" of commit ${snapshot.commit}`);
  return {
    files: found.map((file) => path.join(snapshot.directory, file)),
    names: found,
    forms: [{ columns: hub.columns, where: hub.where }],
    hub: { repo: hub.repo, revision: hub.revision, commit: snapshot.commit },
  };
}
