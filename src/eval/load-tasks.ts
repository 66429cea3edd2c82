import { existsSync } from 'node:fs';
import path from 'node:path';
import { isOslerError, OSLER_ERR_DATA_EMPTY, OSLER_ERR_EVALUATION_TASK_UNKNOWN, OSLER_ERR_USAGE } from '../core/errors.ts';
import { checkRows, readTextFile } from '../core/jsonl.ts';
import { Question } from '../core/schema/question.ts';
import { TrainingRow } from '../core/schema/training-row.ts';
import type { TaskItems } from './pair-records.ts';
import { chooseItems, type ItemChoice } from './tasks/choose-items.ts';
import { findManifest, listBenchmarks, listTasks } from './tasks/find-manifest.ts';
import type { PlacedFault } from './tasks/item-fault.ts';
import { loadItemFile } from './tasks/load-item-file.ts';
import { heldOutTask, isAtHand, loadBenchmark, loadBenchmarkFile, type LoadedTask } from './tasks/load-part.ts';
import type { TaskData } from './tasks/locate-rows.ts';
import type { AcceptedFault } from './tasks/task-manifest.ts';
import { describeFaults, throwProblems } from './tasks/throw-problems.ts';

/** What to evaluate on: benchmarks, files of items, and the held-out rows of the tuned model's run. */
export interface TaskRequest extends TaskData {
  /** Names of benchmarks, paths of their `.json` files, and `heldout`. */
  readonly tasks: readonly string[];
  /** Files of questions, or `TASK=FILE` for a file that holds the rows of a benchmark. */
  readonly itemFiles: readonly string[];
  /** Rows that `heldout` stands for; null where the tuned model has no run. */
  readonly heldOutFile: string | null;
  /** So many items of each task; null: all. */
  readonly limit: number | null;
  /** Which ones under a limit; default: the first. */
  readonly choice?: ItemChoice | undefined;
  /** Of a drawn choice. */
  readonly seed?: number | undefined;
  /** Leaves bad rows out, and keeps a list of them in each task's origin; else they are an error. */
  readonly dropsBadItems?: boolean | undefined;
  /** Faults that items of a user's files may have; default: none. Benchmarks say it of their own rows. */
  readonly accepts?: readonly AcceptedFault[] | undefined;
}

/** Names of the benchmarks whose rows are on this machine: those of the package, and those in the folder of benchmark data. */
export async function listTasksAtHand(benchmarkData: string | null): Promise<string[]> {
  const names: string[] = [];
  for (const name of listBenchmarks()) if (await isAtHand(await findManifest(name), benchmarkData)) names.push(name);
  return names;
}

/**
 * Loads the items of every task, in order.
 *
 * @throws OSLER_ERR_EVALUATION_ITEMS naming everything that is wrong with any of them; what is wrong with one task alone as
 * OSLER_ERR_EVALUATION_TASK_UNKNOWN, OSLER_ERR_EVALUATION_MANIFEST, OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_DATA_* or OSLER_ERR_HUB_*;
 * OSLER_ERR_USAGE for two tasks of one name
 */
export async function loadTasks(request: TaskRequest): Promise<TaskItems[]> {
  const loaded: LoadedTask[] = [];
  const failures: Error[] = [];
  const take = async (load: () => Promise<LoadedTask[]>): Promise<void> => {
    try {
      loaded.push(...(await load()));
    } catch (error) {
      if (!isOslerError(error) || error.code === 'OSLER_ERR_INTERRUPTED') throw error;
      failures.push(error);
    }
  };
  for (const name of request.tasks)
    await take(async () =>
      name === 'heldout' ? [await loadHeldOut(request.heldOutFile)] : await loadBenchmark(await findManifest(name), request),
    );
  for (const word of request.itemFiles) await take(async () => await loadItems(word, request.accepts ?? []));
  const drops = request.dropsBadItems === true;
  for (const { items, faults, label } of loaded)
    if (items.length === 0 && (drops || faults.length === 0))
      failures.push(new OSLER_ERR_DATA_EMPTY(label, ` that can be used${faults.length > 0 ? ` (${describeFaults(faults)})` : ''}`));
  throwProblems(failures, drops ? [] : loaded);
  refuseDoubledNames(loaded);
  return loaded.map((task) => chosen(task, request));
}

async function loadHeldOut(file: string | null): Promise<LoadedTask> {
  if (file === null || !existsSync(file))
    throw new OSLER_ERR_EVALUATION_TASK_UNKNOWN(
      'heldout',
      `${listTasks().join(', ')}; heldout needs a tuned model that a run here made, with held-out rows`,
    );
  const rows = checkRows(file, await readTextFile(file), TrainingRow);
  const items = rows.map(({ value }) =>
    Question.parse({ id: value.id, question: value.question, reasoning: value.thought, answer_text: value.answer }),
  );
  return heldOutTask(path.basename(file), items);
}

async function loadItems(word: string, accepts: readonly AcceptedFault[]): Promise<LoadedTask[]> {
  const { task, file } = /^(?<task>[\w.-]+)=(?<file>.+)$/.exec(word)?.groups ?? {};
  if (task === undefined || file === undefined || existsSync(word)) return await loadItemFile(word, accepts);
  return await loadBenchmarkFile(await findManifest(task), file);
}

function refuseDoubledNames(loaded: readonly LoadedTask[]): void {
  const doubled = loaded.find((task, index) => loaded.findIndex((other) => other.task === task.task) < index);
  if (doubled === undefined) return;
  throw new OSLER_ERR_USAGE(
    `Two tasks are called "${doubled.task}", and their samples could not be told apart. Name each once, or rename one of the files.`,
  );
}

function chosen({ task, items, measures, rows, faults, accepted, origin }: LoadedTask, request: TaskRequest): TaskItems {
  const { limit, choice = 'first', seed = 0 } = request;
  const isWhole = limit === null || limit >= items.length;
  const reasons = (placed: readonly PlacedFault[]) => placed.map(({ place, reason }) => ({ place, reason }));
  return {
    task,
    measures,
    items: chooseItems(items, { task, limit, how: choice, seed }),
    origin: {
      ...origin,
      rows,
      dropped: reasons(faults),
      kept: reasons(accepted),
      choice: isWhole ? null : { how: choice, seed: choice === 'first' ? null : seed, of: items.length },
    },
  };
}
