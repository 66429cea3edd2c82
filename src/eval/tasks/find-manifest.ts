import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { OSLER_ERR_EVALUATION_MANIFEST, OSLER_ERR_EVALUATION_TASK_UNKNOWN } from '../../core/errors.ts';
import { readTextFile } from '../../core/jsonl.ts';
import { packageRoot } from '../../core/package-root.ts';
import { TaskManifest } from './task-manifest.ts';

const benchmarkFolder = path.join(packageRoot, 'benchmarks');

/** A manifest and the folder that its file names are meant from. */
export interface FoundManifest {
  readonly manifest: TaskManifest;
  readonly folder: string;
}

/** Names of the benchmarks that come with the package. */
export function listBenchmarks(): string[] {
  const manifests = readdirSync(benchmarkFolder).filter((name) => name.endsWith('.json'));
  return manifests.map((name) => path.basename(name, '.json')).toSorted();
}

/** Everything that `--tasks` takes by name. */
export function listTasks(): string[] {
  return [...listBenchmarks(), 'heldout'].toSorted();
}

/**
 * The manifest of a benchmark by its name, or by the path of a `.json` file.
 *
 * @throws OSLER_ERR_EVALUATION_TASK_UNKNOWN, OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_EVALUATION_MANIFEST with every problem
 */
export async function findManifest(name: string): Promise<FoundManifest> {
  if (name.endsWith('.json')) return await readManifest(path.resolve(name));
  const file = path.join(benchmarkFolder, `${path.basename(name)}.json`);
  if (!existsSync(file)) throw new OSLER_ERR_EVALUATION_TASK_UNKNOWN(name, listTasks().join(', '));
  return await readManifest(file);
}

async function readManifest(file: string): Promise<FoundManifest> {
  const text = await readTextFile(file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new OSLER_ERR_EVALUATION_MANIFEST(path.basename(file), 1, '  it is not valid JSON');
  }
  const parsed = TaskManifest.safeParse(value);
  if (parsed.success) return { manifest: parsed.data, folder: path.dirname(file) };
  const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.') || 'manifest'}: ${issue.message}`);
  throw new OSLER_ERR_EVALUATION_MANIFEST(path.basename(file), lines.length, lines.join('\n'));
}
