import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { type PlainError, revivedError } from '../core/errors.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import type { LocatedDataset } from '../train/data/locate-dataset.ts';
import type { DataInspection } from '../train/preflight/inspect-data.ts';
import type { ReportStep } from '../train/python-environment.ts';

const worker = path.join(import.meta.dirname, `inspect-worker${path.extname(import.meta.filename)}`);

/** What the thread is started with. */
export interface InspectionRequest {
  readonly recipe: Recipe;
  readonly located: LocatedDataset;
  /** Folder that the rows are written into. */
  readonly root: string;
  /** Evaluation items to look for beside those of the package's benchmarks. */
  readonly itemFiles: readonly string[];
}

/** What the thread tells, steps first. */
export type InspectionReply = { readonly step: string } | { readonly inspection: DataInspection } | { readonly failure: PlainError };

/**
 * `inspectData` in a thread of its own: 25,000 rows of medical reasoning keep it busy for seconds, in which a server must answer.
 * The signal ends it in the midst of its work.
 *
 * @throws what `inspectData` throws; the signal's reason
 */
export async function inspectInThread(
  request: InspectionRequest,
  { onStep, signal }: { onStep?: ReportStep | undefined; signal?: AbortSignal | undefined },
): Promise<DataInspection> {
  signal?.throwIfAborted();
  // The flags of this process are not for it: vitest's, for one, name files.
  const thread = new Worker(worker, { workerData: request, execArgv: [] });
  const { promise, resolve, reject } = Promise.withResolvers<DataInspection>();
  const abort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  thread.on('message', (reply: InspectionReply) => {
    if ('step' in reply) onStep?.(reply.step);
    else if ('inspection' in reply) resolve(reply.inspection);
    else reject(revivedError(reply.failure));
  });
  thread.on('error', reject);
  thread.on('exit', (code) => reject(new Error(`the thread that looks at the rows ended with ${code} and said nothing`)));
  try {
    return await promise;
  } finally {
    signal?.removeEventListener('abort', abort);
    await thread.terminate();
  }
}
