import type { ChatTemplate } from '../../src/engine/chat-template.ts';
import type { BareDriver } from './bare-driver.ts';
import { type BenchPlan, requestsOf } from './bench-plan.ts';
import { engineRequestOf } from './engine-request.ts';
import { type Measurement, summarise } from './measurement.ts';
import { runLoad } from './run-load.ts';
import type { ReportLine } from './run-rounds.ts';
import type { RunningServer } from './server-process.ts';
import { buildBodies } from './workload.ts';

export interface HopOptions {
  readonly plan: BenchPlan;
  readonly clients: number;
  readonly server: RunningServer;
  readonly driver: BareDriver;
  readonly template: ChatTemplate;
  readonly report: ReportLine;
  readonly signal?: AbortSignal;
}

/** The same requests both ways, one right after the other. */
export interface HopRound {
  readonly http: Measurement;
  readonly bare: Measurement;
  /** Share of the bare driver's throughput that is lost over HTTP. */
  readonly cost: number;
}

/** Plays the rounds in alternating order, after one that warms both up and does not count. */
export async function runHopRounds(options: HopOptions): Promise<HopRound[]> {
  const rounds: HopRound[] = [];
  for (let round = -1; round < options.plan.rounds; round += 1) {
    const one = await runRound(options, round);
    if (round < 0) continue;
    rounds.push(one);
    const [http, bare] = [one.http, one.bare].map((way) => way.tokensPerSecond.toFixed(1));
    options.report(`round ${round + 1}: over HTTP ${http}, bare ${bare} tokens/s, cost ${(100 * one.cost).toFixed(1)} %`);
  }
  return rounds;
}

async function runRound(options: HopOptions, round: number): Promise<HopRound> {
  const { clients, server, driver, template, signal } = options;
  const bodies = buildBodies({ workload: 'short', round, clients, count: requestsOf(options.plan, clients) });
  const requests = bodies.map((body) => engineRequestOf(body, template));
  const overHttp = async (): Promise<Measurement> => summarise(await runLoad({ port: server.plan.port, clients, bodies }, signal), null);
  const direct = async (): Promise<Measurement> => summarise(await driver.play(requests, clients), null);
  const early = round % 2 === 0 ? await overHttp() : await direct();
  const late = round % 2 === 0 ? await direct() : await overHttp();
  const [http, bare] = round % 2 === 0 ? [early, late] : [late, early];
  return { http, bare, cost: 1 - http.tokensPerSecond / bare.tokensPerSecond };
}
