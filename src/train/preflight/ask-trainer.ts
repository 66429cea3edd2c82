import { execa } from 'execa';
import { z } from 'zod';
import { Preflight } from '../../core/schema/preflight.ts';
import { trainerEnvironment } from '../python-environment.ts';

const shownLines = 5;
const Failure = z.object({ type: z.literal('failed'), message: z.string(), nextStep: z.string() });

/** What the host that trains says: its report, that it will not take the job, or nothing that can be read. */
export type HostReply =
  | { readonly kind: 'report'; readonly report: Preflight }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'silent'; readonly why: string };

/**
 * Asks the trainer of this machine what it knows before it trains: device, token lengths, memory and disk.
 *
 * @param options.job file of a TrainJob
 */
export async function askTrainer(options: { python: string; job: string; signal?: AbortSignal | undefined }): Promise<HostReply> {
  const { exitCode, stdout, stderr } = await execa(options.python, ['-m', 'osler_trainer', 'preflight', '--job', options.job], {
    env: trainerEnvironment(),
    reject: false,
    ...(options.signal && { cancelSignal: options.signal }),
  });
  options.signal?.throwIfAborted();
  const last = parsed(stdout.trim().split('\n').at(-1) ?? '');
  const report = Preflight.safeParse(last);
  if (report.success) return { kind: 'report', report: report.data };
  const failure = Failure.safeParse(last);
  if (failure.success) return { kind: 'refused', why: `${failure.data.message}; ${failure.data.nextStep}` };
  const said = stderr.trim().split('\n').slice(-shownLines).join('\n');
  return { kind: 'silent', why: `it ended with ${exitCode ?? 'a signal'} and no report, and said:\n${said}` };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
