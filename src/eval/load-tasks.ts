import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { OSLER_ERR_DATA_ROWS, OSLER_ERR_EVALUATION_TASK_UNKNOWN, OSLER_ERR_USAGE } from '../core/errors.ts';
import { checkRows, readTextFile } from '../core/jsonl.ts';
import { packageRoot } from '../core/package-root.ts';
import { Question } from '../core/schema/question.ts';
import { TrainingRow } from '../core/schema/training-row.ts';
import type { TaskItems } from './pair-records.ts';

const benchmarkFolder = path.join(packageRoot, 'benchmarks');
const Measures = z.array(z.enum(['generation', 'likelihood'])).min(1);

/** benchmarks/<id>.json: what a benchmark is and which files it is made of. */
export const TaskManifest = z.strictObject({
  id: z.string().min(1),
  description: z.string().min(1),
  source: z.string().min(1),
  revision: z.string().min(1),
  licence: z.string().min(1),
  example: Question,
  parts: z.array(z.strictObject({ task: z.string().min(1), file: z.string().min(1), measures: Measures })).min(1),
});
export type TaskManifest = z.infer<typeof TaskManifest>;

/** What to evaluate on: names of benchmarks, files of items, and the held-out rows of the tuned model's run. */
export interface TaskRequest {
  readonly tasks: readonly string[];
  readonly itemFiles: readonly string[];
  /** Rows that `heldout` stands for; null where the tuned model has no run. */
  readonly heldOutFile: string | null;
  /** First so many items of each task; null: all. */
  readonly limit: number | null;
}

/** Names of the benchmarks that come with the package, and `heldout`. */
export function listTasks(): string[] {
  const manifests = readdirSync(benchmarkFolder).filter((name) => name.endsWith('.json'));
  return [...manifests.map((name) => path.basename(name, '.json')), 'heldout'].toSorted();
}

/**
 * Loads the items of every task, in order.
 *
 * @throws OSLER_ERR_USAGE, OSLER_ERR_EVALUATION_TASK_UNKNOWN, OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_DATA_ROWS naming all bad lines
 */
export async function loadTasks(request: TaskRequest): Promise<TaskItems[]> {
  const loaded: TaskItems[] = [];
  for (const name of request.tasks)
    loaded.push(...(name === 'heldout' ? [await loadHeldOut(request.heldOutFile)] : await loadBenchmark(name)));
  for (const file of request.itemFiles) loaded.push(...(await loadItemFile(file)));
  const doubled = loaded.find((task, index) => loaded.findIndex((other) => other.task === task.task) < index);
  if (doubled !== undefined)
    throw new OSLER_ERR_USAGE(
      `Two tasks are called "${doubled.task}", and their samples could not be told apart. Name each once, or rename one of the files.`,
    );
  return loaded.map((task) => ({ ...task, items: request.limit === null ? task.items : task.items.slice(0, request.limit) }));
}

async function loadBenchmark(name: string): Promise<TaskItems[]> {
  const file = path.join(benchmarkFolder, `${path.basename(name)}.json`);
  if (!existsSync(file)) throw new OSLER_ERR_EVALUATION_TASK_UNKNOWN(name, listTasks().join(', '));
  const manifest = TaskManifest.parse(JSON.parse(await readTextFile(file)));
  const parts: TaskItems[] = [];
  for (const part of manifest.parts)
    parts.push({ task: part.task, items: await readQuestions(path.join(benchmarkFolder, part.file)), measures: part.measures });
  return parts;
}

async function loadHeldOut(file: string | null): Promise<TaskItems> {
  if (file === null || !existsSync(file))
    throw new OSLER_ERR_EVALUATION_TASK_UNKNOWN(
      'heldout',
      `${listTasks().join(', ')}; heldout needs a tuned model that a run here made, with held-out rows`,
    );
  const rows = checkRows(file, await readTextFile(file), TrainingRow);
  return {
    task: 'heldout',
    measures: ['likelihood'],
    items: rows.map(({ value }) =>
      Question.parse({ id: value.id, question: value.question, reasoning: value.thought, answer_text: value.answer }),
    ),
  };
}

/** A user's file: multiple choice is answered, open questions are scored by likelihood. A file may hold both. */
async function loadItemFile(file: string): Promise<TaskItems[]> {
  const items = await readQuestions(file);
  const name = path.basename(file, path.extname(file));
  const choice = items.filter((item) => item.options !== null);
  const open = items.filter((item) => item.options === null);
  const tasks: TaskItems[] = [];
  if (choice.length > 0) tasks.push({ task: name, items: choice, measures: ['generation'] });
  if (open.length > 0) tasks.push({ task: choice.length > 0 ? `${name}-open` : name, items: open, measures: ['likelihood'] });
  return tasks;
}

async function readQuestions(file: string): Promise<Question[]> {
  const rows = checkRows(path.basename(file), await readTextFile(file), Question);
  const seen = new Map<string, number>();
  const doubled = rows.flatMap(({ line, value }) => {
    const first = seen.get(value.id);
    seen.set(value.id, first ?? line);
    return first === undefined ? [] : [`  line ${line}: id "${value.id}" stands on line ${first} already`];
  });
  if (doubled.length > 0) throw new OSLER_ERR_DATA_ROWS(path.basename(file), doubled.length, doubled.join('\n'));
  return rows.map(({ value }) => value);
}
