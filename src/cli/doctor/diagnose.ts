import os from 'node:os';
import type { Config } from '../../core/config.ts';
import { isOslerError } from '../../core/errors.ts';
import type { BackendReport, CandidateOutcome } from '../../engine/llama/backend-report.ts';
import { type BackendDeps, concludeFrom, examineBackends } from '../../engine/llama/backends.ts';
import { cpuQuota } from './cpu-quota.ts';
import { engineFindings } from './engine-findings.ts';
import type { Finding } from './finding.ts';
import { hubFinding } from './hub-finding.ts';
import { coresFinding, diskFinding, memoryFinding, nodeFinding } from './machine-findings.ts';
import { pythonFinding } from './python-finding.ts';

/** All that `osler doctor` found. `engine` is null where no backend decodes. */
export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly engine: BackendReport | null;
  readonly outcomes: readonly CandidateOutcome[];
}

/** Looks at the machine and tries every backend; what was remembered of earlier tries is not asked, and renewed. */
export async function diagnose(config: Config, backend: BackendDeps, options: { asksHub: boolean }): Promise<Diagnosis> {
  const cores = {
    model: backend.devices.cpuModel,
    available: os.availableParallelism(),
    host: os.cpus().length,
    quota: await cpuQuota(),
    threads: config.threads,
  };
  const outcomes = await examineBackends(backend, { model: 'speed', stopsAtFirst: false });
  const report = await rememberedReport(backend, outcomes);
  const { version, release } = backend.addons;
  const findings: Finding[] = [
    nodeFinding(),
    coresFinding(cores),
    memoryFinding(),
    await diskFinding(config.home),
    await pythonFinding(config),
    { title: 'llama.cpp', level: 'ok', text: `${release}, in node-llama-cpp ${version}`, mend: null },
    ...engineFindings(outcomes, report, backend.devices),
    ...(options.asksHub ? [await hubFinding(config.hubEndpoint)] : []),
  ];
  return { findings, engine: report ?? null, outcomes };
}

async function rememberedReport(backend: BackendDeps, outcomes: readonly CandidateOutcome[]): Promise<BackendReport | undefined> {
  try {
    return await concludeFrom(backend, outcomes);
  } catch (error) {
    if (isOslerError(error) && error.code === 'OSLER_ERR_ENGINE_BACKEND') return undefined;
    throw error;
  }
}
