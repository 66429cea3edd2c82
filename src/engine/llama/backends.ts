import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { writeJsonAtomically } from '../../core/atomic-file.ts';
import type { Config } from '../../core/config.ts';
import { digestOfJson } from '../../core/digest.ts';
import { OSLER_ERR_ENGINE_BACKEND } from '../../core/errors.ts';
import { readJsonFile } from '../../core/read-json-file.ts';
import { type BackendCandidate, backendCandidates, buildCommand } from './backend-candidates.ts';
import { type BackendChoice, backendName } from './backend-choice.ts';
import { BackendReport, type CandidateOutcome, describeOutcome, mendOf, reportOf } from './backend-report.ts';
import { prepareChoice } from './cuda-fallback.ts';
import { type Devices, findDevices, hasDevice } from './devices.ts';
import { findInstalledAddons, type InstalledAddons } from './installed-addons.ts';
import { probeBackend } from './probe.ts';
import { probeModelBytes, type ProbeModelSize } from './probe-model.ts';

/** Tokens a probe decodes: few show that it works, many how fast it is. */
const probeTokens: Record<ProbeModelSize, number> = { tiny: 24, speed: 300 };

/** What choosing needs to know and to do; tests give their own. */
export interface BackendDeps {
  readonly config: Pick<Config, 'home' | 'gpu' | 'threads'>;
  readonly devices: Devices;
  readonly addons: InstalledAddons;
  readonly probe: typeof probeBackend;
  /** Told before each probe. */
  readonly onStep?: ((step: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Looks at this machine, for `chooseBackend` and `examineBackends`. */
export async function backendDeps(
  config: BackendDeps['config'],
  options: Pick<BackendDeps, 'onStep' | 'signal'> = {},
): Promise<BackendDeps> {
  const devices = await findDevices();
  return { config, devices, addons: await findInstalledAddons(devices), probe: probeBackend, ...options };
}

/**
 * The best backend that really decodes here: the one that was found last time, as long as nothing has changed that it depends on;
 * else the first that passes a probe.
 *
 * @throws OSLER_ERR_ENGINE_BACKEND where none does, with each one's reason and the command that mends it
 */
export async function chooseBackend(deps: BackendDeps): Promise<BackendReport> {
  const remembered = await readJsonFile(rememberedFile(deps), BackendReport);
  if (remembered !== undefined) {
    await prepareChoice(remembered.choice, deps.addons);
    return remembered;
  }
  return await concludeFrom(deps, await examineBackends(deps, { model: 'tiny', stopsAtFirst: true }));
}

/** The report of what was examined, remembered for later starts unless the next may go better. Throws OSLER_ERR_ENGINE_BACKEND where nothing passed. */
export async function concludeFrom(deps: BackendDeps, outcomes: readonly CandidateOutcome[]): Promise<BackendReport> {
  const report = reportOf(outcomes);
  if (report === undefined) throw new OSLER_ERR_ENGINE_BACKEND(deps.config.gpu, reasonsOf(deps, outcomes), mendFor(deps, outcomes));
  // A home that cannot be written costs the probes of each start, and no more.
  if (!outcomes.some(mayPass)) await writeJsonAtomically(rememberedFile(deps), report).catch(() => undefined);
  return report;
}

/** Whether a failure looks like one of the moment, such as a card that another program fills: a GPU is not given up for good over it. */
function mayPass({ state, reason }: CandidateOutcome): boolean {
  return state === 'failed' && /no answer within|memory|busy|in use|SIGKILL/i.test(reason ?? '');
}

/** Tries the backends in their order: all, or up to the first that passes. */
export async function examineBackends(
  deps: BackendDeps,
  options: { model: ProbeModelSize; stopsAtFirst: boolean },
): Promise<CandidateOutcome[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'osler-probe-'));
  try {
    const modelFile = path.join(folder, 'probe.gguf');
    await writeFile(modelFile, probeModelBytes(options.model));
    const outcomes: CandidateOutcome[] = [];
    for (const candidate of backendCandidates(deps.config.gpu, deps.devices, deps.addons, deps.config.home)) {
      const isOver = options.stopsAtFirst && outcomes.some(({ state }) => state === 'passed');
      const model = { modelFile, tokens: probeTokens[options.model] };
      outcomes.push(isOver ? { ...blankOutcome(candidate.choice), state: 'untried' } : await examine(deps, candidate, model));
    }
    return outcomes;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function examine(
  deps: BackendDeps,
  { choice, skip }: BackendCandidate,
  model: { modelFile: string; tokens: number },
): Promise<CandidateOutcome> {
  const outcome = blankOutcome(choice);
  if (skip !== null) return { ...outcome, state: 'skipped', reason: skip };
  deps.onStep?.(`trying the engine: ${outcome.name}`);
  await prepareChoice(choice, deps.addons);
  const result = await deps.probe({ choice, ...model, threads: deps.config.threads }, { signal: deps.signal });
  const seconds = result.seconds;
  if (!result.ok) return { ...outcome, state: 'failed', reason: result.reason, seconds };
  return { ...outcome, state: 'passed', device: result.device, tokensPerSecond: result.tokensPerSecond, seconds };
}

function blankOutcome(choice: BackendChoice): Omit<CandidateOutcome, 'state'> {
  return { choice, name: backendName(choice), reason: null, device: null, tokensPerSecond: null, seconds: null };
}

/** One file for each combination of what a choice depends on, so that machines can share a home. */
function rememberedFile({ config, devices, addons }: BackendDeps): string {
  const key = digestOfJson({
    addon: addons.version,
    node: process.version,
    setting: config.gpu,
    devices,
    builds: addons.builds.map(({ folder, builtAtMs }) => [folder, builtAtMs]),
    prebuilts: addons.prebuilts.map(({ folder, missing }) => [folder, missing]),
  });
  return path.join(config.home, 'engine', `backend-${key.slice(0, 16)}.json`);
}

function reasonsOf({ config }: BackendDeps, outcomes: readonly CandidateOutcome[]): string {
  if (outcomes.length === 0) return `  there is no ${config.gpu} engine for this platform`;
  return outcomes.map((outcome) => `  ${describeOutcome(outcome)}`).join('\n');
}

/** Building helps where the device is there; where it is not, another setting does. */
function mendFor({ config, devices }: BackendDeps, outcomes: readonly CandidateOutcome[]): string {
  const isAbsent = config.gpu !== 'auto' && !hasDevice(config.gpu, devices);
  if (isAbsent) return 'unset OSLER_GPU, or set it to off to use the CPU';
  return mendOf(outcomes, devices) ?? buildCommand(config.gpu === 'auto' ? 'off' : config.gpu);
}
