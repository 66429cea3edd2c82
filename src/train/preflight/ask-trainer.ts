import { execa } from 'execa';
import { z } from 'zod';
import { Preflight } from '../../core/schema/preflight.ts';
import { OSLER_ERR_RUN_PREFLIGHT } from '../../core/errors.ts';
import { trainerEnvironment } from '../python-environment.ts';

const shownLines = 5;
const Failure = z.object({ type: z.literal('failed'), message: z.string(), nextStep: z.string() });

/**
 * Asks the trainer of this machine what it knows before it trains: device, token lengths, memory and disk.
 *
 * @param options.job file of a TrainJob
 * @throws OSLER_ERR_RUN_PREFLIGHT where it gives no report
 */
export async function askTrainer(options: { python: string; job: string; signal?: AbortSignal | undefined }): Promise<Preflight> {
  const { exitCode, stdout, stderr } = await execa(options.python, ['-m', 'osler_trainer', 'preflight', '--job', options.job], {
    env: trainerEnvironment(),
    extendEnv: false,
    reject: false,
    ...(options.signal && { cancelSignal: options.signal }),
  });
  options.signal?.throwIfAborted();
  const last = parsed(stdout.trim().split('\n').at(-1) ?? '');
  const report = Preflight.safeParse(last);
  if (report.success) return report.data;
  const failure = Failure.safeParse(last);
  if (failure.success) throw new OSLER_ERR_RUN_PREFLIGHT(`${failure.data.message}. ${failure.data.nextStep}`);
  throw new OSLER_ERR_RUN_PREFLIGHT(
    `the trainer ended with ${exitCode ?? 'a signal'} and no report. It said:\n${stderr.trim().split('\n').slice(-shownLines).join('\n')}`,
  );
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
