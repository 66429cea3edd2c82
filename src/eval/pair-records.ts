import { OSLER_ERR_EVALUATION_MISMATCH } from '../core/errors.ts';
import type { Question } from '../core/schema/question.ts';
import { digestOfItem } from './item-digest.ts';
import type { Arm, EvaluationRecord, LikelihoodSample, Sample } from './schema/sample.ts';
import type { TaskOrigin } from './schema/task-origin.ts';
import { scoreSample, type ScoredSample } from './score.ts';
import { clusterItems } from './statistics/item-clusters.ts';

/** A benchmark with its frozen selection, in order. */
export interface TaskItems {
  readonly task: string;
  readonly items: readonly Question[];
  /** What the plan measures on each of them. */
  readonly measures: readonly EvaluationRecord['kind'][];
  /** Where the items came from and what was left out; undefined for plans of before it was kept. */
  readonly origin?: TaskOrigin | undefined;
}

/** One item with everything that was recorded of it. */
export interface PairedItem {
  readonly task: string;
  readonly item: Question;
  readonly cluster: string;
  /** By attempt, in order; may be incomplete. */
  readonly attempts: Readonly<Record<Arm, readonly ScoredSample[]>>;
  readonly likelihood: Readonly<Record<Arm, LikelihoodSample | null>>;
  readonly measures: TaskItems['measures'];
  /** Whether generation was planned and both arms have every attempt. */
  readonly isGenerated: boolean;
}

/**
 * Brings records to their items. Of two records of one attempt the first counts; records of items that are not selected are left out.
 *
 * @throws OSLER_ERR_EVALUATION_MISMATCH where a record was drawn for other content of an item
 */
export function pairRecords(
  evaluationId: string,
  tasks: readonly TaskItems[],
  records: readonly EvaluationRecord[],
  attempts: number,
): PairedItem[] {
  const recordOfKey = new Map<string, EvaluationRecord>();
  for (const record of records) {
    const key = keyOf(record.kind, record.task, record.itemId, record.arm, record.kind === 'generation' ? record.attempt : 0);
    if (!recordOfKey.has(key)) recordOfKey.set(key, record);
  }
  const entries = tasks.flatMap(({ task, items, measures }) => items.map((item) => ({ task, item, measures })));
  const clusters = clusterItems(entries.map(({ item }) => item));
  return entries.map(({ task, item, measures }, index) => {
    const digest = digestOfItem(item);
    const find = <K extends EvaluationRecord['kind']>(
      kind: K,
      arm: Arm,
      attempt: number,
    ): Extract<EvaluationRecord, { kind: K }> | null => {
      const record = recordOfKey.get(keyOf(kind, task, item.id, arm, attempt));
      if (record === undefined) return null;
      if (record.itemDigest !== digest)
        throw new OSLER_ERR_EVALUATION_MISMATCH(evaluationId, `the contents of item ${JSON.stringify(item.id)} of ${task}`);
      return record as Extract<EvaluationRecord, { kind: K }>; // the kind is part of the key
    };
    const attemptsOf = (arm: Arm): ScoredSample[] =>
      Array.from({ length: attempts }, (_value, attempt) => find('generation', arm, attempt))
        .filter((sample): sample is Sample => sample !== null)
        .map((sample) => scoreSample(sample, item));
    const scored = { base: attemptsOf('base'), tuned: attemptsOf('tuned') };
    return {
      task,
      item,
      cluster: clusters[index] ?? item.id,
      attempts: scored,
      likelihood: { base: find('likelihood', 'base', 0), tuned: find('likelihood', 'tuned', 0) },
      measures,
      isGenerated: measures.includes('generation') && scored.base.length === attempts && scored.tuned.length === attempts,
    };
  });
}

function keyOf(kind: EvaluationRecord['kind'], task: string, itemId: string, arm: Arm, attempt: number): string {
  return JSON.stringify([kind, task, itemId, arm, attempt]);
}
