import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../../core/config.ts';
import { isOslerError, messageOf } from '../../core/errors.ts';
import type { CheckFinding, TrainingCheck } from '../../core/schema/training-check.ts';
import type { Preflight } from '../../core/schema/preflight.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import { TrainJob } from '../../core/schema/train-job.ts';
import type { WithoutRepeats } from '../data/drop-repeats.ts';
import { type ExaminedDataset, examineDataset } from '../data/prepare-data.ts';
import type { ModelStore } from '../model-store.ts';
import type { ReportStep } from '../python-environment.ts';
import type { HostReply } from './ask-trainer.ts';
import { baseForCheck } from './base-for-check.ts';
import { contaminationFindings, type FindContamination } from './contamination-findings.ts';
import { dataFindings, finding } from './data-findings.ts';

/** What a pre-flight is made with. */
export interface PreflightDeps {
  readonly config: Config;
  readonly models: ModelStore;
  /** File of a template by its name or path; throws where there is none. */
  readonly locateTemplate: (name: string) => string;
  /** Left out: contamination is not looked for. */
  readonly findContamination?: FindContamination | undefined;
  /** Asks the host that would train about a job; left out: it is not asked. */
  readonly askHost?: ((jobFile: string) => Promise<HostReply>) | undefined;
  readonly onStep?: ReportStep | undefined;
  readonly signal?: AbortSignal | undefined;
}

const order = { error: 0, warning: 1, note: 2 } as const;
/** Findings of estimates, which may be wrong for a machine. */
const estimates = new Set<CheckFinding['code']>(['memoryShort', 'memoryTight', 'diskShort']);

/**
 * Looks at everything that a training needs before there is one: rows and columns, repeats, what of the evaluation sets is in
 * them, template, base, and on the host that trains token lengths, memory and disk. What is wrong is a finding, not an exception.
 *
 * @throws OSLER_ERR_PYTHON_MISSING, OSLER_ERR_PYTHON_SETUP; else only what aborts it, and failures of the program
 */
export async function preflight(recipe: Recipe, deps: PreflightDeps): Promise<TrainingCheck> {
  const findings: CheckFinding[] = [];
  const attempt = async <T>(code: CheckFinding['code'], setting: string | null, work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      deps.signal?.throwIfAborted();
      // What is missing on this machine is no matter of the recipe.
      if (!isOslerError(error) || error.code.startsWith('OSLER_ERR_PYTHON_')) throw error;
      findings.push(finding('error', code, messageOf(error), setting));
      return undefined;
    }
  };
  const template = await attempt('templateMissing', 'template', () => deps.locateTemplate(recipe.template));
  deps.onStep?.('read the rows');
  const dataset = await attempt('dataMissing', 'data.ref', () => examineDataset(recipe.data, deps));
  if (dataset !== undefined) findings.push(...dataFindings(recipe, dataset));
  const isUsable = dataset !== undefined && !findings.some(({ level, code }) => level === 'error' && code !== 'templateMissing');
  const contamination = isUsable ? await lookForContamination(dataset.examination.rows, deps, findings) : null;
  const host =
    isUsable && template !== undefined ? await askHost(recipe, dataset.examination.rows, template, { attempt, deps, findings }) : undefined;
  findings.push(...(host?.findings ?? []));
  return {
    schemaVersion: 1,
    findings: findings.toSorted((a, b) => order[a.level] - order[b.level]),
    data: dataset === undefined ? null : summaryOf(recipe, dataset, contamination),
    host: host ?? null,
  };
}

/** Errors that keep a training from starting; estimates may be overruled. */
export function blockingFindings(check: TrainingCheck, options: { ignoresEstimates: boolean }): CheckFinding[] {
  return check.findings.filter(({ level, code }) => level === 'error' && !(options.ignoresEstimates && estimates.has(code)));
}

async function lookForContamination(
  rows: WithoutRepeats,
  deps: PreflightDeps,
  findings: CheckFinding[],
): Promise<NonNullable<TrainingCheck['data']>['contamination']> {
  if (deps.findContamination === undefined) return null;
  deps.onStep?.('look for evaluation items among the training rows');
  const { items, hits } = await deps.findContamination(
    rows.train.map(({ row }) => row.question),
    rows.heldOut.map(({ place, row }) => ({ id: place, question: row.question })),
  );
  findings.push(...contaminationFindings(hits, rows.train));
  const ofLevel = (level: string): number => hits.filter((hit) => hit.level === level).length;
  return { items, hard: ofLevel('hard'), soft: ofLevel('soft') };
}

async function askHost(
  recipe: Recipe,
  rows: WithoutRepeats,
  templateFile: string,
  {
    attempt,
    deps,
    findings,
  }: {
    attempt: <T>(code: CheckFinding['code'], setting: string | null, work: () => Promise<T>) => Promise<T | undefined>;
    deps: PreflightDeps;
    findings: CheckFinding[];
  },
): Promise<Preflight | undefined> {
  const { askHost: ask, onStep } = deps;
  if (ask === undefined) return undefined;
  const base = await attempt('baseMissing', 'base.ref', () => baseForCheck(recipe.base.ref, recipe.base.revision, deps));
  if (base === undefined) return undefined;
  if (base.missingBytes > 0) findings.push(...(await downloadFindings(base.missingBytes, deps.config.home)));
  onStep?.('ask the trainer about lengths, memory and disk');
  // With the caches, where `osler clean` finds what a killed process left.
  const cache = path.join(deps.config.home, 'cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(path.join(cache, 'check-'));
  try {
    const files = {
      train: path.join(folder, 'train.jsonl'),
      heldOut: path.join(folder, 'heldout.jsonl'),
      job: path.join(folder, 'job.json'),
    };
    await writeFile(files.train, linesOf(rows.train));
    await writeFile(files.heldOut, linesOf(rows.heldOut));
    const job: TrainJob = {
      schemaVersion: 1,
      runId: 'check',
      recipe,
      basePath: base.folder,
      trainFile: files.train,
      heldOutFile: rows.heldOut.length > 0 ? files.heldOut : null,
      templateFile,
      // Where runs are kept: the free disk of that place counts. The trainer writes nothing there.
      outputDir: path.join(deps.config.home, 'runs', 'check'),
      threads: deps.config.threads,
      resume: false,
      dryRun: false,
    };
    await writeFile(files.job, JSON.stringify(TrainJob.parse(job)));
    const reply = await attempt('hostRefused', null, () => ask(files.job));
    if (reply?.kind === 'report') return reply.report;
    if (reply?.kind === 'refused') findings.push(finding('error', 'hostRefused', `The trainer cannot take it: ${reply.why}.`));
    if (reply?.kind === 'silent')
      findings.push(finding('warning', 'hostUnchecked', `Lengths, memory and disk are not known: the trainer was asked, ${reply.why}`));
    return undefined;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function downloadFindings(bytes: number, home: string): Promise<CheckFinding[]> {
  const { bavail, bsize } = await statfs(home);
  const sizes = `${gigabytes(bytes)} of weights are fetched first`;
  if (bavail * bsize > bytes) return [finding('note', 'baseMissing', `The base is not here yet: ${sizes}.`)];
  const message = `The base is not here yet: ${sizes}, and ${gigabytes(bavail * bsize)} are free at "${home}". Free some space, or set OSLER_HOME to a larger disk.`;
  return [finding('error', 'diskShort', message)];
}

function linesOf(rows: readonly { readonly row: object }[]): string {
  return rows.map(({ row }) => `${JSON.stringify(row)}\n`).join('');
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

function summaryOf(
  recipe: Recipe,
  { located, examination }: ExaminedDataset,
  contamination: NonNullable<TrainingCheck['data']>['contamination'],
): TrainingCheck['data'] {
  const { rows, rowCount } = examination;
  return {
    ref: recipe.data.ref,
    revision: located.revision,
    licence: located.licence,
    sourceRows: rowCount,
    trainRows: rows.train.length,
    heldOutRows: rows.heldOut.length,
    duplicates: rows.repeats.length,
    heldOutTrained: rows.trained.length,
    contamination,
  };
}
