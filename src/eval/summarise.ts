import { describeContamination, findContaminationOfItems } from './summarise-contamination.ts';
import { describeLengths } from './length-distribution.ts';
import { findNotices } from './find-notices.ts';
import { pairRecords, type PairedItem, type TaskItems } from './pair-records.ts';
import { reachVerdict } from './reach-verdict.ts';
import type { Report, ReportAttempt, ReportItem, TaskReport } from './schema/report.ts';
import type { EvaluationRecord } from './schema/sample.ts';
import type { EvaluationSettings } from './schema/settings.ts';
import type { ScoredSample } from './score.ts';
import { adjustHolm } from './statistics/holm.ts';
import { summariseFormat } from './summarise-arms.ts';
import { summariseLikelihood, type LikelihoodSummary } from './summarise-likelihood.ts';
import { overallDifference } from './summarise-overall.ts';
import { flipOf, summariseTask } from './summarise-task.ts';

/** Shown on every report. */
export const researchOnlyNotice =
  'For research only. Not a medical device, not for diagnosis or treatment: a model that scores well here can still be wrong about a patient.';

/** All that a report is made of; the same input gives the same report, so re-scoring needs no model. */
export interface SummariseInput {
  readonly evaluationId: string;
  /** UTC, ISO 8601. */
  readonly createdAt: string;
  readonly arms: Report['arms'];
  readonly settings: EvaluationSettings;
  readonly hardware: Report['hardware'];
  readonly codeRevision: string | null;
  readonly tasks: readonly TaskItems[];
  readonly records: readonly EvaluationRecord[];
  /** Questions that the tuned model was trained on; null: unknown, so contamination is not checked. */
  readonly trainingQuestions: readonly string[] | null;
  /** Said by the caller, printed before those found here. */
  readonly notices: readonly string[];
}

/**
 * Scores the records anew and makes the report. Items without every attempt in both arms are left out of the comparison, and the report says so.
 *
 * @throws OSLER_ERR_EVALUATION_MISMATCH where a record was drawn for other content of an item
 */
export function summarise(input: SummariseInput): Report {
  const { settings } = input;
  const paired = pairRecords(input.evaluationId, input.tasks, input.records, settings.attempts);
  const contamination = input.trainingQuestions === null ? null : findContaminationOfItems(paired, input.trainingQuestions);
  const multipleChoice = Map.groupBy(
    paired.filter(({ item, measures }) => item.options !== null && measures.includes('generation')),
    ({ task }) => task,
  );
  const unadjusted = [...multipleChoice].map(([task, entries]) => summariseTask(task, entries, settings, contamination?.get(task) ?? null));
  const overall = overallDifference(unadjusted);
  const likelihoodSummary = summariseLikelihood(paired, settings);
  const { tasks, likelihood } = adjustSecondaries(settings.primaryMetric, unadjusted, likelihoodSummary);
  const generated = paired.filter(({ isGenerated }) => isGenerated);
  const isComplete = paired.length > 0 && paired.every(isItemComplete);
  return {
    schemaVersion: 1,
    evaluationId: input.evaluationId,
    createdAt: input.createdAt,
    researchOnly: researchOnlyNotice,
    verdict: reachVerdict(settings, tasks, overall, likelihood),
    arms: input.arms,
    settings,
    hardware: input.hardware,
    codeRevision: input.codeRevision,
    isComplete,
    tasks,
    accuracyOverall: overall,
    likelihood,
    format: describeFormat(generated),
    contamination: contamination === null ? null : describeContamination(contamination, input.trainingQuestions?.length ?? 0),
    items: generated.map((entry) => describeItem(entry, contamination?.get(entry.task)?.get(entry.item.id)?.level ?? null)),
    notices: [...input.notices, ...findNotices(paired, tasks, likelihoodSummary?.incomparable ?? [], isComplete, contamination)],
  };
}

function isItemComplete({ measures, isGenerated, likelihood }: PairedItem): boolean {
  return (
    (!measures.includes('generation') || isGenerated) &&
    (!measures.includes('likelihood') || (likelihood.base !== null && likelihood.tuned !== null))
  );
}

// The primary metric is tested once; all others share one error rate (Holm). With several benchmarks the primary is their mean, and each benchmark is secondary.
function adjustSecondaries(
  primary: EvaluationSettings['primaryMetric'],
  tasks: readonly TaskReport[],
  summary: LikelihoodSummary | null,
): { tasks: TaskReport[]; likelihood: Report['likelihood'] } {
  const isTaskSecondary = primary !== 'accuracy' || tasks.length > 1;
  const secondaries = [
    ...(isTaskSecondary ? tasks.map(({ task, difference }) => ({ name: `task ${task}`, difference })) : []),
    ...(summary === null ? [] : [{ name: 'thought', difference: summary.thought.difference }]),
    ...(summary === null || primary === 'answer-likelihood' ? [] : [{ name: 'answer', difference: summary.answer.difference }]),
  ].flatMap(({ name, difference }) => (difference.isEstimable ? [{ name, p: difference.p }] : []));
  const adjusted = adjustHolm(secondaries.map(({ p }) => p));
  const pOf = new Map(secondaries.map(({ name }, index) => [name, adjusted[index] ?? null]));
  return {
    tasks: tasks.map((task) => ({ ...task, pHolm: pOf.get(`task ${task.task}`) ?? null })),
    likelihood:
      summary === null
        ? null
        : {
            thought: { ...summary.thought, pHolm: pOf.get('thought') ?? null },
            answer: { ...summary.answer, pHolm: pOf.get('answer') ?? null },
          },
  };
}

function describeFormat(generated: readonly PairedItem[]): Report['format'] {
  const [base, tuned] = [generated.flatMap(({ attempts }) => attempts.base), generated.flatMap(({ attempts }) => attempts.tuned)];
  const arms = { base: summariseFormat(base), tuned: summariseFormat(tuned) };
  if (arms.base === null || arms.tuned === null) return null;
  const lengthsOf = (part: 'thoughtTokens' | 'answerTokens') =>
    describeLengths({ base: base.map(({ sample }) => sample[part]), tuned: tuned.map(({ sample }) => sample[part]) });
  return {
    arms: { base: arms.base, tuned: arms.tuned },
    thoughtTokens: lengthsOf('thoughtTokens'),
    answerTokens: lengthsOf('answerTokens'),
  };
}

function describeItem(entry: PairedItem, contamination: ReportItem['contamination']): ReportItem {
  const { task, item, attempts } = entry;
  return {
    task,
    itemId: item.id,
    subject: item.subject,
    question: item.question,
    context: item.context,
    options: item.options,
    reference: item.options === null ? item.answer_text : item.answer,
    flip: flipOf(entry),
    contamination,
    arms: { base: attempts.base.map(describeAttempt), tuned: attempts.tuned.map(describeAttempt) },
  };
}

function describeAttempt({ sample, extraction, outcome, isRight }: ScoredSample): ReportAttempt {
  const { thought, answer, thoughtClosed, thoughtTokens, answerTokens } = sample;
  return {
    thought,
    answer,
    letter: extraction?.letter ?? null,
    rung: extraction?.rung ?? null,
    outcome,
    isRight,
    thoughtClosed,
    thoughtTokens,
    answerTokens,
  };
}
