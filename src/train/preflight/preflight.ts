import { copyFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../core/config.ts';
import { isOslerError, messageOf, revivedError } from '../../core/errors.ts';
import type { CheckFinding, TrainingCheck } from '../../core/schema/training-check.ts';
import type { Preflight } from '../../core/schema/preflight.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import { TrainJob } from '../../core/schema/train-job.ts';
import { type LocatedDataset, locateDataset } from '../data/locate-dataset.ts';
import type { HostQuestion } from '../launchers/launcher.ts';
import type { ModelStore } from '../model-store.ts';
import type { ReportStep } from '../python-environment.ts';
import type { RunFolder } from '../run-folder.ts';
import type { RunSource } from '../run-source.ts';
import type { HostReply } from './ask-trainer.ts';
import { baseForCheck, isFetchedThere } from './base-for-check.ts';
import { finding } from './data-findings.ts';
import { comingBackFindings, downloadFindings } from './disk-findings.ts';
import type { DataInspection } from './inspect-data.ts';

/** The host that would train. */
export interface HostToAsk {
  /** Another machine: it fetches a Hub id by itself, and exports are made here of what comes back. */
  readonly isRemote: boolean;
  /** Other runs train there now; this one waits for their end. */
  readonly isBusy: boolean;
  readonly ask: (question: HostQuestion) => Promise<HostReply>;
}

/** What a pre-flight is made with. */
export interface PreflightDeps {
  readonly config: Config;
  readonly models: ModelStore;
  /** Where it writes rows, template and job, as a run's folder has them. */
  readonly folder: RunFolder;
  /** File of a template by its name or path; throws where there is none. */
  readonly locateTemplate: (name: string) => string;
  /** `inspectData`, in whatever thread. */
  readonly inspect: (recipe: Recipe, located: LocatedDataset, folder: RunFolder) => Promise<DataInspection>;
  /** Left out: it is not asked; in words: why that cannot be. */
  readonly host?: HostToAsk | { readonly whyNot: string } | undefined;
  /** Throws why rows cannot be read or trained on, in place of findings. */
  readonly throwsDataErrors?: boolean;
  /** Told of what may take minutes: a set-up, a download. */
  readonly onStep?: ReportStep | undefined;
  /** Told which part is looked at. */
  readonly onPart?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a pre-flight found, and where its rows came from, if they can be trained on. */
export interface PreflightResult {
  readonly check: TrainingCheck;
  readonly source: RunSource['data'] | null;
}

type Attempt = <T>(code: CheckFinding['code'], setting: string | null, work: () => T | Promise<T>) => Promise<T | undefined>;

const order = { error: 0, warning: 1, note: 2 } as const;
/** Findings of estimates, which may be wrong for a machine. */
const estimates = new Set<CheckFinding['code']>(['memoryShort', 'memoryTight', 'diskShort']);

/**
 * Looks at everything that a training needs before there is one: rows and columns, repeats, what of the evaluation sets is in
 * them, template, base, and on the host that trains token lengths, memory and disk. What is wrong is a finding, not an exception.
 *
 * @throws OSLER_ERR_PYTHON_MISSING, OSLER_ERR_PYTHON_SETUP; else only what aborts it, and failures of the program
 */
export async function preflight(recipe: Recipe, deps: PreflightDeps): Promise<PreflightResult> {
  const findings: CheckFinding[] = [];
  const attempt: Attempt = async (code, setting, work) => {
    try {
      return await work();
    } catch (error) {
      deps.signal?.throwIfAborted();
      // What is missing on this machine is no matter of the recipe.
      if (!isOslerError(error) || error.code.startsWith('OSLER_ERR_PYTHON_')) throw error;
      if (code === 'dataMissing' && deps.throwsDataErrors === true) throw error;
      findings.push(finding('error', code, messageOf(error), setting));
      return undefined;
    }
  };
  const template = await attempt('templateMissing', 'template', () => deps.locateTemplate(recipe.template));
  const inspection = await attempt(
    'dataMissing',
    'data.ref',
    async () => await deps.inspect(recipe, await locateDataset(recipe.data, deps), deps.folder),
  );
  findings.push(...(inspection?.findings ?? []));
  const outcome = inspection?.outcome;
  if (outcome !== undefined && 'failure' in outcome && deps.throwsDataErrors === true) throw revivedError(outcome.failure);
  const source = outcome !== undefined && 'source' in outcome ? outcome.source : null;
  // A frozen copy, like the rows: what is checked is what is trained on.
  if (template !== undefined && source !== null) await copyFile(template, deps.folder.template);
  const host = template === undefined || source === null ? undefined : await askHost(recipe, source, { attempt, deps, findings });
  findings.push(...(host?.findings ?? []));
  return {
    check: {
      schemaVersion: 1,
      findings: findings.toSorted((a, b) => order[a.level] - order[b.level]),
      data: inspection?.summary ?? null,
      host: host ?? null,
    },
    source,
  };
}

/** Errors that keep a training from starting; estimates may be overruled. */
export function blockingFindings(check: TrainingCheck, options: { ignoresEstimates: boolean }): CheckFinding[] {
  return check.findings.filter(({ level, code }) => level === 'error' && !(options.ignoresEstimates && estimates.has(code)));
}

async function askHost(
  recipe: Recipe,
  source: RunSource['data'],
  { attempt, deps, findings }: { attempt: Attempt; deps: PreflightDeps; findings: CheckFinding[] },
): Promise<Preflight | undefined> {
  const { host, config, folder, onStep, signal } = deps;
  if (host === undefined) return undefined;
  if ('whyNot' in host) {
    findings.push(finding('warning', 'hostUnchecked', `Lengths, memory and disk are not known: ${host.whyNot}`));
    return undefined;
  }
  const { ref, revision } = recipe.base;
  const base =
    host.isRemote && isFetchedThere(ref, deps.models)
      ? { folder: ref, missingBytes: 0 }
      : await attempt('baseMissing', 'base.ref', () => baseForCheck(ref, revision, deps));
  if (base === undefined) return undefined;
  if (base.missingBytes > 0) findings.push(...(await downloadFindings(base.missingBytes, config.home)));
  deps.onPart?.('ask the trainer about lengths, memory and disk');
  const job: TrainJob = TrainJob.parse({
    schemaVersion: 1,
    runId: 'check',
    recipe,
    basePath: base.folder,
    trainFile: folder.trainRows,
    heldOutFile: source.heldOutRows > 0 ? folder.heldOutRows : null,
    templateFile: folder.template,
    // Where runs are kept: the free disk of that place counts. The trainer writes nothing there.
    outputDir: host.isRemote ? folder.root : path.join(config.home, 'runs', 'check'),
    threads: config.threads,
    resume: false,
    dryRun: false,
  } satisfies TrainJob);
  await writeFile(folder.job, JSON.stringify(job));
  const circumstances = { hasWeights: base.missingBytes === 0, exportsThere: !host.isRemote, isBusy: host.isBusy };
  const reply = await attempt('hostRefused', null, () => host.ask({ folder, job, circumstances, onStep, signal }));
  if (reply?.kind === 'refused') findings.push(finding('error', 'hostRefused', `The trainer cannot take it: ${reply.why}.`));
  if (reply?.kind === 'silent') findings.push(finding('warning', 'hostUnchecked', `Lengths, memory and disk are not known: ${reply.why}`));
  if (reply?.kind !== 'report') return undefined;
  if (host.isRemote && reply.report.disk !== null) findings.push(...(await comingBackFindings(reply.report.disk, config.home)));
  return reply.report;
}
