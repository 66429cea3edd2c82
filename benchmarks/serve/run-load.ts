import path from 'node:path';
import { execa } from 'execa';
import { LoadJob, LoadResult } from './load-job.ts';

const maxResultBytes = 256 << 20;

/** Plays a job from a process of its own, so that the client's work disturbs no server's event loop. Throws what the client met. */
export async function runLoad(job: LoadJob, signal?: AbortSignal): Promise<LoadResult> {
  const file = path.join(import.meta.dirname, 'load-client.ts');
  const result = await execa(process.execPath, [file], {
    input: JSON.stringify(job),
    maxBuffer: maxResultBytes,
    reject: false,
    ...(signal && { cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  if (result.exitCode !== 0) throw new Error(`The load client failed: ${result.stderr.trim().split('\n').slice(-8).join('\n')}`);
  return LoadResult.parse(JSON.parse(result.stdout));
}
