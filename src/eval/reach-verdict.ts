import type { DifferenceNats, DifferencePp, Report, TaskReport } from './schema/report.ts';
import type { EvaluationSettings } from './schema/settings.ts';
import { detectableStandardErrors } from './statistics/detectable-difference.ts';
import { decideVerdict, type VerdictKind } from './statistics/verdict.ts';
import { writeAccuracyVerdict, writeLikelihoodVerdict, writeSecondaryLikelihood } from './verdict-sentence.ts';

/** Decides on the primary metric alone, and says the answer likelihood beside an accuracy verdict. */
export function reachVerdict(
  settings: EvaluationSettings,
  tasks: readonly TaskReport[],
  overall: DifferencePp | null,
  likelihood: Report['likelihood'],
): Report['verdict'] {
  const { primaryMetric, equivalenceMarginPp, equivalenceMarginNats } = settings;
  const common = { metric: primaryMetric, marginPp: equivalenceMarginPp, marginNats: equivalenceMarginNats };
  const smallestDetectableNats = likelihood?.answer.smallestDetectableNats ?? null;
  const smallestDetectablePp = overall === null ? null : smallestDetectableOverall(overall, tasks);
  const detectable = { smallestDetectablePp, smallestDetectableNats };
  if (primaryMetric === 'answer-likelihood') {
    if (likelihood === null)
      return {
        ...common,
        ...detectable,
        kind: 'none',
        sentence: 'No verdict: the likelihood of the reference answers was named to decide, and none was measured.',
        secondarySentence: null,
      };
    const { difference, items } = likelihood.answer;
    const kind = decide(difference, equivalenceMarginNats, false);
    return {
      ...common,
      ...detectable,
      kind,
      sentence: writeLikelihoodVerdict({ kind, difference, items, marginNats: equivalenceMarginNats, smallestDetectableNats }),
      secondarySentence: null,
    };
  }
  const secondarySentence =
    likelihood === null ? null : writeSecondaryLikelihood(likelihood.answer.difference, likelihood.answer.items, likelihood.answer.pHolm);
  if (overall === null || smallestDetectablePp === null)
    return {
      ...common,
      ...detectable,
      kind: 'none',
      sentence: 'No verdict: accuracy was named to decide, and there are no multiple-choice questions.',
      secondarySentence,
    };
  const kind = decide(overall, equivalenceMarginPp, true);
  const items = tasks.reduce((total, task) => total + task.items, 0);
  const sentence = writeAccuracyVerdict({
    kind,
    difference: overall,
    tasks: tasks.map(({ task }) => task),
    items,
    marginPp: equivalenceMarginPp,
    smallestDetectablePp,
  });
  return { ...common, ...detectable, kind, sentence, secondarySentence };
}

function decide(difference: DifferencePp | DifferenceNats, margin: number | null, isHigherBetter: boolean): VerdictKind {
  if (!difference.isEstimable) return 'none';
  const { low, high, low90, high90 } = difference;
  return decideVerdict({ interval95: { low, high }, interval90: { low: low90, high: high90 }, margin, isHigherBetter });
}

// Without an interval for all tasks, from each task's own: √Σx²/M, as their standard errors combine.
function smallestDetectableOverall(overall: DifferencePp, tasks: readonly TaskReport[]): number {
  if (overall.isEstimable) return detectableStandardErrors(undefined, overall.df) * overall.standardError;
  return Math.hypot(...tasks.map(({ smallestDetectablePp }) => smallestDetectablePp.difference)) / tasks.length;
}
