import { Command, InvalidArgumentError, Option } from 'commander';
import { answerTokens } from './prompt-text.ts';
import { type ServerName, serverNames } from './server-process.ts';
import { type WorkloadName, workloadNames } from './workload.ts';

/** Context of one slot: room for the longest prompt of the workloads and its answer. */
const contextTokens = 1024;
/** Leaves half a minute of five for starting, warming up and stopping. */
const quickMinutes = 4.3;

/** What is measured, with which settings. */
export interface BenchPlan {
  readonly isQuick: boolean;
  readonly clients: readonly number[];
  readonly workloads: readonly WorkloadName[];
  readonly rounds: number;
  /** No further round begins that would end later, counted from the first request; null: all rounds. */
  readonly limitMinutes: number | null;
  /** Requests at once: as many as there are clients, so that none waits for a place. */
  readonly slots: number;
  readonly contextTokens: number;
  /** Requests of one measurement; null: by the number of clients. */
  readonly requests: number | null;
  readonly answerTokens: number;
  readonly only: ServerName | null;
  /** Finished program to compare with; null: build it from the bundle. */
  readonly llamaServer: string | null;
  /** Model as `osler serve` takes it. */
  readonly model: string;
  /** Whether a missed bar ends the program with 1. */
  readonly isGate: boolean;
}

interface Flags {
  readonly quick?: true;
  readonly clients?: number[];
  readonly workloads?: WorkloadName[];
  readonly rounds?: number;
  readonly slots?: number;
  readonly requests?: number;
  readonly only?: ServerName;
  readonly llamaServer?: string;
  readonly model: string;
  readonly gate?: true;
}

/** Reads the words after the program's name. Throws commander's error for words that cannot be read. */
export function readPlan(words: readonly string[]): BenchPlan {
  const flags = command().parse(words, { from: 'user' }).opts<Flags>();
  const isQuick = flags.quick === true;
  const clients = flags.clients ?? (isQuick ? [1, 8, 16] : [1, 4, 8, 16, 32]);
  return {
    isQuick,
    clients,
    workloads: flags.workloads ?? (isQuick ? ['short'] : workloadNames),
    rounds: flags.rounds ?? 3,
    limitMinutes: isQuick ? quickMinutes : null,
    slots: flags.slots ?? Math.max(...clients),
    contextTokens,
    requests: flags.requests ?? null,
    answerTokens,
    only: flags.only ?? null,
    llamaServer: flags.llamaServer ?? null,
    model: flags.model,
    isGate: flags.gate === true,
  };
}

/** Requests of one measurement: enough for a p95 at many clients, few enough to keep a round short. */
export function requestsOf(plan: Pick<BenchPlan, 'requests'>, clients: number): number {
  return plan.requests ?? Math.max(6, 2 * clients, Math.min(3 * clients, 32));
}

function command(): Command {
  return new Command('bench:serve')
    .description('compare osler serve with llama-server: same model, slots, context, threads and flash attention')
    .option('--quick', '1, 8 and 16 clients, short prompts: under 5 minutes once the builds are there')
    .option('--clients <numbers>', 'numbers of clients, with commas', readClients)
    .option('--workloads <names>', `of ${workloadNames.join(', ')}; with commas`, readWorkloads)
    .option('--rounds <number>', 'alternating rounds', readCount)
    .option('--slots <number>', 'requests at once; default: the greatest number of clients', readCount)
    .option('--requests <number>', 'requests of one measurement; default: by the number of clients', readCount)
    .addOption(new Option('--only <server>', 'measure one server only').choices(serverNames))
    .option('--llama-server <path>', 'a finished llama-server, in place of one built from the bundle')
    .option('--model <ref>', 'model: path, registry id or Hub id', 'smollm2-135m-instruct')
    .option('--gate', 'end with 1 where a bar is missed');
}

function readCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 on is wanted.');
  return value;
}

function readClients(text: string): number[] {
  return text.split(',').map((word) => readCount(word));
}

function readWorkloads(text: string): WorkloadName[] {
  return text.split(',').map((word) => {
    const name = workloadNames.find((candidate) => candidate === word);
    if (name === undefined) throw new InvalidArgumentError(`choose from ${workloadNames.join(', ')}.`);
    return name;
  });
}
