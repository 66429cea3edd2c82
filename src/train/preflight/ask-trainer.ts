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

/** What whoever asks knows beside the job. */
export interface Circumstances {
  /** False: the base's folder holds config and tokenizer alone. */
  readonly hasWeights: boolean;
  /** False: GGUF files are made on another machine than the one that trains. */
  readonly exportsThere: boolean;
  /** Other runs train there now, and will have ended when this one begins. */
  readonly isBusy: boolean;
}

/** How the trainer's Python ended and what it wrote. */
export interface TrainerOutput {
  /** Undefined or null: it was killed. */
  readonly exitCode?: number | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Arguments of the trainer's Python that ask about the job in a file. */
export function preflightArguments(job: string, { hasWeights, exportsThere, isBusy }: Circumstances): string[] {
  const flags = [
    ...(hasWeights ? [] : ['--without-weights']),
    ...(exportsThere ? [] : ['--export-elsewhere']),
    ...(isBusy ? ['--busy'] : []),
  ];
  return ['-m', 'osler_trainer', 'preflight', '--job', job, ...flags];
}

/**
 * Asks the trainer of this machine what it knows before it trains: device, token lengths, memory and disk.
 *
 * @param options.job file of a TrainJob
 */
export async function askTrainer(options: {
  python: string;
  job: string;
  circumstances: Circumstances;
  signal?: AbortSignal | undefined;
}): Promise<HostReply> {
  const output = await execa(options.python, preflightArguments(options.job, options.circumstances), {
    env: trainerEnvironment(),
    reject: false,
    ...(options.signal && { cancelSignal: options.signal }),
  });
  options.signal?.throwIfAborted();
  return readReply(output);
}

/** Reads what a trainer that was asked has written, wherever it ran. */
export function readReply({ exitCode, stdout, stderr }: TrainerOutput): HostReply {
  const last = parsed(stdout.trim().split('\n').at(-1) ?? '');
  const report = Preflight.safeParse(last);
  if (report.success) return { kind: 'report', report: report.data };
  const failure = Failure.safeParse(last);
  if (failure.success) return { kind: 'refused', why: `${failure.data.message}; ${failure.data.nextStep}` };
  const said = stderr.trim().split('\n').slice(-shownLines).join('\n');
  return { kind: 'silent', why: `the trainer was asked, it ended with ${exitCode ?? 'a signal'} and no report, and said:\n${said}` };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
