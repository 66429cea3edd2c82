import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isOslerError, plainError, type PlainError } from '../../core/errors.ts';
import { toJsonLines } from '../../core/jsonl.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import type { CheckFinding, TrainingCheck } from '../../core/schema/training-check.ts';
import type { PlacedRow, WithoutRepeats } from '../data/drop-repeats.ts';
import { examineData } from '../data/examine-data.ts';
import type { LocatedDataset } from '../data/locate-dataset.ts';
import { type ExaminedDataset, sourceOf, throwDataProblems } from '../data/prepare-data.ts';
import type { ReportStep } from '../python-environment.ts';
import type { RunFolder } from '../run-folder.ts';
import type { RunSource } from '../run-source.ts';
import { contaminationFindings, type FindContamination } from './contamination-findings.ts';
import { dataFindings } from './data-findings.ts';

/** What a look at the rows of a recipe tells. The rows themselves lie in files, so that it can come from another thread. */
export interface DataInspection {
  readonly findings: readonly CheckFinding[];
  readonly summary: NonNullable<TrainingCheck['data']>;
  /** The rows that were written, as source.json keeps them; or why they cannot be trained on, as `prepareData` throws it. */
  readonly outcome: { readonly source: RunSource['data'] } | { readonly failure: PlainError };
}

export interface InspectOptions {
  /** Where rows that can be trained on are written, as a run's folder has them. */
  readonly folder: Pick<RunFolder, 'trainRows' | 'heldOutRows'>;
  /** Left out: contamination is not looked for. */
  readonly findContamination?: FindContamination | undefined;
  readonly onStep?: ReportStep | undefined;
}

/**
 * Reads the files of a recipe once, looks at every row, and writes those that would be trained on. Keeps its thread busy for
 * seconds where there are many.
 *
 * @throws OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_DATA_FORMAT, OSLER_ERR_USAGE
 */
export async function inspectData(recipe: Recipe, located: LocatedDataset, options: InspectOptions): Promise<DataInspection> {
  options.onStep?.('read the rows');
  const dataset: ExaminedDataset = { located, examination: await examineData(located.files, recipe.data) };
  const found = dataFindings(recipe, dataset);
  const failure = failureOf(recipe, dataset);
  if (failure !== null) return { findings: found, summary: summaryOf(recipe, dataset, null), outcome: { failure } };
  // At once, as its checksums are to be of what was read.
  const source = await sourceOf(recipe.data, dataset);
  const { rows } = dataset.examination;
  const { findings, counts } = await lookForContamination(rows, options);
  await mkdir(path.dirname(options.folder.trainRows), { recursive: true });
  await writeFile(options.folder.trainRows, linesOf(rows.train));
  await writeFile(options.folder.heldOutRows, linesOf(rows.heldOut));
  return { findings: [...found, ...findings], summary: summaryOf(recipe, dataset, counts), outcome: { source } };
}

function failureOf({ data }: Recipe, { examination }: ExaminedDataset): PlainError | null {
  try {
    throwDataProblems(data, examination);
    return null;
  } catch (error) {
    if (!isOslerError(error)) throw error;
    return plainError(error);
  }
}

type Contamination = NonNullable<TrainingCheck['data']>['contamination'];

async function lookForContamination(
  rows: WithoutRepeats,
  { findContamination, onStep }: InspectOptions,
): Promise<{ findings: CheckFinding[]; counts: Contamination }> {
  if (findContamination === undefined) return { findings: [], counts: null };
  onStep?.('look for evaluation items among the training rows');
  const { items, hits } = await findContamination(
    rows.train.map(({ row }) => row.question),
    rows.heldOut.map(({ place, row }) => ({ id: place, question: row.question })),
  );
  const ofLevel = (level: string): number => hits.filter((hit) => hit.level === level).length;
  return { findings: contaminationFindings(hits, rows.train), counts: { items, hard: ofLevel('hard'), soft: ofLevel('soft') } };
}

function linesOf(rows: readonly PlacedRow[]): string {
  return toJsonLines(rows.map(({ row }) => row));
}

function summaryOf(recipe: Recipe, { located, examination }: ExaminedDataset, contamination: Contamination): DataInspection['summary'] {
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
