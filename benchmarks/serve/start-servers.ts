import path from 'node:path';
import type { Config } from '../../src/core/config.ts';
import type { BenchPlan } from './bench-plan.ts';
import { ensureLlamaServer } from './llama-server-build.ts';
import type { ReportLine } from './run-rounds.ts';
import { planLlamaServer, planOurs, type ServerSettings } from './server-plans.ts';
import { freePort, type RunningServer, type ServerPlan, startServer } from './server-process.ts';

export interface StartOptions {
  readonly plan: BenchPlan;
  readonly config: Config;
  readonly modelFile: string;
  readonly report: ReportLine;
  readonly signal?: AbortSignal;
}

/** Starts what is to be measured, with llama-server built first where need be. The servers are stopped again where one does not start. */
export async function startServers(options: StartOptions): Promise<RunningServer[]> {
  const { plan, config, report, signal } = options;
  const settings: ServerSettings = {
    modelFile: options.modelFile,
    slots: plan.slots,
    contextTokens: plan.contextTokens,
    threads: config.threads,
    home: config.home,
    logFolder: path.join(config.home, 'cache/bench-logs'),
  };
  const plans: ServerPlan[] = [];
  if (plan.only !== 'llama-server') plans.push(planOurs(settings, await freePort()));
  if (plan.only !== 'ours') {
    const program = plan.llamaServer ?? (await ensureLlamaServer(path.join(config.home, 'cache'), report, signal));
    plans.push(planLlamaServer(path.resolve(program), settings, await freePort()));
  }
  const servers: RunningServer[] = [];
  try {
    for (const server of plans) {
      report(`start ${server.name}`);
      servers.push(await startServer(server, signal));
    }
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop()));
    throw error;
  }
  return servers;
}
