import type { DifferenceNats, DifferencePp } from './schema/report.ts';
import type { VerdictKind } from './statistics/verdict.ts';

/** What the accuracy sentence says. */
export interface AccuracyFinding {
  readonly kind: VerdictKind;
  readonly difference: DifferencePp;
  readonly tasks: readonly string[];
  readonly items: number;
  readonly marginPp: number | null;
  readonly smallestDetectablePp: number;
}

/** The accuracy verdict in plain English, with its numbers. */
export function writeAccuracyVerdict({ kind, difference, tasks, items, marginPp, smallestDetectablePp }: AccuracyFinding): string {
  const subject = tasks.length === 1 ? `accuracy on ${tasks[0]}` : `accuracy, averaged over ${tasks.length} benchmarks,`;
  const questions = `${items} ${items === 1 ? 'question' : 'questions'}`;
  const detectable = `smallest detectable ${smallestDetectablePp.toFixed(1)} pp at 80 % power`;
  if (!difference.isEstimable)
    return `No difference shown: ${subject} cannot be compared, as ${difference.reason} (${questions}; ${detectable}).`;
  const { mean, low, high, low90, high90 } = difference;
  const change = `${Math.abs(mean).toFixed(1)} pp`;
  const interval = `95 % interval ${low.toFixed(1)} to ${high.toFixed(1)}`;
  switch (kind) {
    case 'better':
      return `Tuning made it better: ${subject} rose by ${change} (${interval}; ${questions}).`;
    case 'worse':
      return `Tuning made it worse: ${subject} fell by ${change} (${interval}; ${questions}).`;
    case 'equivalent':
      return `Equivalent within ±${marginPp} pp: ${subject} changed by ${mean.toFixed(1)} pp (90 % interval ${low90.toFixed(1)} to ${high90.toFixed(1)}; ${questions}).`;
    case 'none':
      return `No difference shown: ${subject} changed by ${mean.toFixed(1)} pp (${interval}; ${questions}; ${detectable}).`;
  }
}

/** What the likelihood sentence says. `pHolm` is null where it is the primary metric. */
export interface LikelihoodFinding {
  readonly kind: VerdictKind;
  readonly difference: DifferenceNats;
  readonly items: number;
  readonly marginNats: number | null;
  readonly smallestDetectableNats: number | null;
}

/** The likelihood verdict in plain English. Below 0 means that the reference answers became more likely. */
export function writeLikelihoodVerdict({ kind, difference, items, marginNats, smallestDetectableNats }: LikelihoodFinding): string {
  const answers = `${items} reference ${items === 1 ? 'answer' : 'answers'}`;
  if (!difference.isEstimable)
    return `No difference shown: the likelihood of the reference answers cannot be compared, as ${difference.reason} (${answers}).`;
  const { mean, low, high, low90, high90 } = difference;
  const change = `${Math.abs(mean).toFixed(3)} nats per token`;
  const interval = `95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}; ${answers}; lower is better`;
  switch (kind) {
    case 'better':
      return `Tuning made it better: the reference answers became more likely, their negative log-likelihood fell by ${change} (${interval}).`;
    case 'worse':
      return `Tuning made it worse: the reference answers became less likely, their negative log-likelihood rose by ${change} (${interval}).`;
    case 'equivalent':
      return `Equivalent within ±${marginNats} nats per token: the negative log-likelihood of the reference answers changed by ${mean.toFixed(3)} (90 % interval ${low90.toFixed(3)} to ${high90.toFixed(3)}; ${answers}).`;
    case 'none':
      return `No difference shown: the negative log-likelihood of the reference answers changed by ${mean.toFixed(3)} nats per token (${interval}; smallest detectable ${(smallestDetectableNats ?? 0).toFixed(3)} at 80 % power).`;
  }
}

/** A secondary result, which never decides: the likelihood beside an accuracy verdict. */
export function writeSecondaryLikelihood(difference: DifferenceNats, items: number, pHolm: number | null): string {
  if (!difference.isEstimable)
    return `Beside it, not deciding: the likelihood of the reference answers cannot be compared, as ${difference.reason}.`;
  const { mean, low, high } = difference;
  const interval = `95 % interval ${low.toFixed(3)} to ${high.toFixed(3)}; ${items} reference answers; adjusted p ${writeP(pHolm ?? difference.p)}; lower is better`;
  const direction = mean < 0 ? 'fell' : 'rose';
  return `Beside it, not deciding: the negative log-likelihood of the reference answers ${direction} by ${Math.abs(mean).toFixed(3)} nats per token (${interval}).`;
}

/** A p-value as it is printed: never 0. */
export function writeP(p: number): string {
  return p < 0.0001 ? '< 0.0001' : p.toFixed(4);
}
