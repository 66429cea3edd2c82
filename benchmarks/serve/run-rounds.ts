import { type BenchPlan, requestsOf } from './bench-plan.ts';
import { type Cell, orderOf, type Round } from './comparison.ts';
import { type Measurement, type ProcessorUse, summarise } from './measurement.ts';
import { busySeconds, cpuSeconds } from './process-tree.ts';
import { runLoad } from './run-load.ts';
import type { RunningServer, ServerName } from './server-process.ts';
import { buildBodies, type WorkloadName } from './workload.ts';

/** Tells what is being measured, in a line. */
export type ReportLine = (line: string) => void;

export interface RoundsOptions {
  readonly plan: BenchPlan;
  readonly servers: readonly RunningServer[];
  readonly report: ReportLine;
  readonly signal?: AbortSignal;
}

/** Which load, in which round. */
interface Load {
  readonly workload: WorkloadName;
  readonly clients: number;
  readonly round: number;
}

/** Measures all loads of the plan in alternating rounds. A round is all loads once; the first is measured whatever the limit. */
export async function runRounds(options: RoundsOptions): Promise<Cell[]> {
  const { plan } = options;
  const cells = plan.workloads.flatMap((workload) => plan.clients.map((clients) => ({ workload, clients, rounds: [] as Round[] })));
  const startedMs = performance.now();
  for (let round = 0; round < plan.rounds; round += 1) {
    if (!hasTimeFor(round, performance.now() - startedMs, plan.limitMinutes)) {
      options.report(`${round} of ${plan.rounds} rounds measured: another would pass the limit of ${plan.limitMinutes} minutes`);
      break;
    }
    for (const [place, { workload, clients, rounds }] of cells.entries()) {
      rounds.push(await runRound(options, { workload, clients, round }, orderOf(round, place, plan.only)));
    }
  }
  return cells;
}

/** Whether another round would end within the limit, if it takes as long as those before on average. */
export function hasTimeFor(round: number, elapsedMs: number, limitMinutes: number | null): boolean {
  return limitMinutes === null || round === 0 || elapsedMs * (1 + 1 / round) <= limitMinutes * 60_000;
}

async function runRound(options: RoundsOptions, load: Load, order: readonly ServerName[]): Promise<Round> {
  const measurements: Partial<Record<ServerName, Measurement>> = {};
  for (const name of order) {
    const server = options.servers.find((candidate) => candidate.plan.name === name);
    if (server === undefined) continue;
    const one = await measure(options, server, load);
    options.report(
      `round ${load.round + 1}, ${load.workload}, ${load.clients} clients, ${name}: ${one.tokensPerSecond.toFixed(1)} tokens/s, first token p95 ${one.ttftMs.p95.toFixed(0)} ms`,
    );
    measurements[name] = one;
  }
  return { round: load.round, order, measurements };
}

async function measure({ plan, signal }: RoundsOptions, server: RunningServer, load: Load): Promise<Measurement> {
  const bodies = buildBodies({ ...load, count: requestsOf(plan, load.clients), maxTokens: plan.answerTokens });
  const before = await readClocks(server);
  const result = await runLoad({ port: server.plan.port, clients: load.clients, bodies }, signal);
  const after = await readClocks(server);
  if (after.allSeconds === 0) return summarise(result, null);
  return summarise(result, {
    elapsedSeconds: after.elapsedSeconds - before.elapsedSeconds,
    serverSeconds: after.serverSeconds - before.serverSeconds,
    allSeconds: after.allSeconds - before.allSeconds,
  });
}

async function readClocks(server: RunningServer): Promise<ProcessorUse> {
  return { elapsedSeconds: performance.now() / 1000, serverSeconds: await cpuSeconds(server.pid), allSeconds: await busySeconds() };
}
