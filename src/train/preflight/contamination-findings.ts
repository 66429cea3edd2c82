import type { CheckFinding } from '../../core/schema/training-check.ts';
import type { PlacedRow } from '../data/drop-repeats.ts';
import { finding } from './data-findings.ts';

const shownItems = 5;

/** An evaluation item that training rows come close to; `hard` is as good as asking the same. */
export interface ContaminationHit {
  readonly task: string;
  /** Of a held-out row where it stands in its file. */
  readonly itemId: string;
  readonly level: 'soft' | 'hard';
  /** Position among the trained rows; null: spread over several. */
  readonly nearestTrainingRow: number | null;
}

/** Looks for evaluation items, and for the run's own held-out rows (task `heldout`), among training questions. */
export type FindContamination = (
  trainingQuestions: readonly string[],
  heldOut: readonly { readonly id: string; readonly question: string }[],
) => Promise<{ readonly items: number; readonly hits: readonly ContaminationHit[] }>;

/** A warning for each evaluation set that stands in the training rows; items that only come close are a note. */
export function contaminationFindings(hits: readonly ContaminationHit[], train: readonly PlacedRow[]): CheckFinding[] {
  const tasks = [...new Set(hits.map(({ task }) => task))];
  return tasks.flatMap((task) => {
    const [hard, soft] = (['hard', 'soft'] as const).map((level) => hits.filter((hit) => hit.task === task && hit.level === level));
    return [
      ...(hard === undefined || hard.length === 0 ? [] : [finding('warning', 'contamination', hardMessage(task, hard, train))]),
      ...(soft === undefined || soft.length === 0 ? [] : [finding('note', 'contamination', softMessage(task, soft, train))]),
    ];
  });
}

function hardMessage(task: string, hits: readonly ContaminationHit[], train: readonly PlacedRow[]): string {
  const where = places(hits, train);
  return task === 'heldout'
    ? `${hits.length} of the held-out rows ${hits.length === 1 ? 'is' : 'are'} asked in the same or other words by trained rows (${where}), so held-out figures will flatter. Remove one of each pair from the data.`
    : `${hits.length === 1 ? 'An item' : `${hits.length} items`} of "${task}" ${hits.length === 1 ? 'is' : 'are'} asked by training rows, in the same or other words (${where}). Remove those rows, or read the report's figure without contaminated items.`;
}

function softMessage(task: string, hits: readonly ContaminationHit[], train: readonly PlacedRow[]): string {
  const [noun, verb] = hits.length === 1 ? ['item', 'comes'] : ['items', 'come'];
  return `${hits.length} ${task === 'heldout' ? 'of the held-out rows' : `${noun} of "${task}"`} ${verb} close to training rows (${places(hits, train)}).`;
}

function places(hits: readonly ContaminationHit[], train: readonly PlacedRow[]): string {
  const shown = hits.slice(0, shownItems).map(({ itemId, nearestTrainingRow }) => {
    const place = nearestTrainingRow === null ? undefined : train[nearestTrainingRow]?.place;
    return `${itemId} as ${place ?? 'several rows'}`;
  });
  return `${shown.join('; ')}${hits.length > shownItems ? '; …' : ''}`;
}
