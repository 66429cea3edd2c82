import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../src/core/config.ts';
import { lockFolder } from '../../src/core/folder-lock.ts';
import type { BenchPlan } from './bench-plan.ts';
import { ensureLlamaServer } from './llama-server-build.ts';
import type { ReportLine } from './run-rounds.ts';
import { planLlamaServer, planOurs, type ServerSettings } from './server-plans.ts';
import { freePort, type RunningServer, type ServerPlan, startServer } from './server-process.ts';

const noticeMs = 1000;
/** Held until this process ends, for two benchmarks at once would measure each other; kept here, since a collected lock is a lost one. */
const locks: (() => void)[] = [];

export interface StartOptions {
  readonly plan: BenchPlan;
  readonly config: Config;
  readonly modelFile: string;
  readonly report: ReportLine;
  readonly signal?: AbortSignal;
}

/** Starts what is to be measured, as soon as no other benchmark of this home runs. llama-server is built first where need be. */
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
  const program =
    plan.only === 'ours' ? null : (plan.llamaServer ?? (await ensureLlamaServer(path.join(config.home, 'cache'), report, signal)));
  await waitForTurn(settings.logFolder, report, signal);
  const plans: ServerPlan[] = [];
  if (plan.only !== 'llama-server') plans.push(planOurs(settings, await freePort()));
  if (program !== null) plans.push(planLlamaServer(path.resolve(program), settings, await freePort()));
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

async function waitForTurn(folder: string, report: ReportLine, signal: AbortSignal | undefined): Promise<void> {
  await mkdir(folder, { recursive: true });
  const notice = setTimeout(() => report('another benchmark is running: waiting for its end'), noticeMs);
  locks.push(await lockFolder(folder, () => signal?.throwIfAborted()).finally(() => clearTimeout(notice)));
}
