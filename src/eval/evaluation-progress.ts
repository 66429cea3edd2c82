import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { writeJsonAtomically } from '../core/atomic-file.ts';
import { tryLockFolder } from '../core/folder-lock.ts';
import { readJsonFile } from '../core/read-json-file.ts';

const fileName = 'progress.json';
const writeEveryMs = 2000;

/** How far an evaluation is; attempts and likelihoods of both arms count alike. */
const ProgressFile = z.object({ done: z.int().min(0), total: z.int().min(0) });

export interface EvaluationProgress extends z.infer<typeof ProgressFile> {
  readonly evaluation: string;
}

/** Where evaluations go that are given no `--out`. */
export function evaluationsFolder(home: string): string {
  return path.join(home, 'evaluations');
}

/** Keeps `progress.json` of an evaluation's folder for whoever looks on from outside, such as a server's metrics. */
export class ProgressWriter {
  readonly #file: string;
  #lastMs = -Infinity;
  #writing: Promise<void> = Promise.resolve();

  constructor(folder: string) {
    this.#file = path.join(folder, fileName);
  }

  /** Writes every two seconds at most. A failed write is no reason to stop an evaluation. */
  update(done: number, total: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#lastMs < writeEveryMs) return;
    this.#lastMs = nowMs;
    this.#writing = this.#writing.then(() => writeJsonAtomically(this.#file, { done, total })).catch(() => undefined);
  }

  /** Nothing is under way any more. */
  async end(): Promise<void> {
    await this.#writing;
    await rm(this.#file, { force: true });
  }
}

/** The evaluations of a home that a process works on now; what a killed one left behind is not told. */
export async function readEvaluationProgress(home: string): Promise<EvaluationProgress[]> {
  const root = evaluationsFolder(home);
  const names = await readdir(root).catch(() => []);
  const found: EvaluationProgress[] = [];
  for (const evaluation of names) {
    const folder = path.join(root, evaluation);
    const data = await readJsonFile(path.join(folder, fileName), ProgressFile);
    if (data === undefined) continue;
    const unlock = tryLockFolder(folder);
    unlock?.();
    if (unlock === undefined) found.push({ evaluation, ...data });
  }
  return found;
}
