import { deriveSeed } from '../core/rng.ts';
import { extractAnswer } from './extract-answer.ts';
import { extractLeniently } from './lenient-rule.ts';
import type { PairedItem } from './pair-records.ts';
import { differenceInPp } from './report-difference.ts';
import type { ItemContamination } from './schema/contamination.ts';
import type { DifferencePp, ReportItem, SmallestDetectable, TaskReport } from './schema/report.ts';
import type { EvaluationSettings } from './schema/settings.ts';
import { detectableDifference, detectableStandardErrors } from './statistics/detectable-difference.ts';
import { testMcNemar } from './statistics/mcnemar.ts';
import type { PairedObservation } from './statistics/paired-difference.ts';
import { shareOf, sum, summariseAccuracy } from './summarise-arms.ts';

const assumedDiscordance = 0.3;
const nonAnsweringTexts = ['', 'the '.repeat(50).trim(), 'I am sorry, but I cannot answer this question. A doctor should be consulted.'];

/** Accuracy block of one multiple-choice task; `paired` holds all its items, complete or not. `contaminationOf` is null where it was not checked. */
export function summariseTask(
  task: string,
  paired: readonly PairedItem[],
  settings: EvaluationSettings,
  contaminationOf: ReadonlyMap<string, ItemContamination> | null,
): TaskReport {
  const complete = paired.filter(({ isGenerated }) => isGenerated);
  const resampling = { seed: deriveSeed(settings.seed, 'bootstrap', task), draws: settings.bootstrapDraws };
  const difference = differenceInPp(complete.map(observe), resampling);
  const clean = contaminationOf === null ? null : complete.filter(({ item }) => contaminationOf.get(item.id)?.level !== 'hard');
  const flipped = (flip: ReportItem['flip']): string[] => complete.filter((entry) => flipOf(entry) === flip).map(({ item }) => item.id);
  const flips = { gained: flipped('gained'), lost: flipped('lost'), bothRight: flipped('bothRight'), bothWrong: flipped('bothWrong') };
  return {
    task,
    items: complete.length,
    itemsPlanned: paired.length,
    clusters: new Set(complete.map(({ cluster }) => cluster)).size,
    attempts: settings.attempts,
    majorityBaseline: majorityBaseline(complete),
    arms: {
      base: summariseAccuracy(complete.map(({ attempts }) => attempts.base)),
      tuned: summariseAccuracy(complete.map(({ attempts }) => attempts.tuned)),
    },
    difference,
    differenceClean: clean === null ? null : { items: clean.length, difference: differenceInPp(clean.map(observe), resampling) },
    mcnemar: settings.attempts === 1 ? testMcNemar(flips.lost.length, flips.gained.length) : null,
    pHolm: null,
    smallestDetectablePp: smallestDetectablePp(difference, complete.length, settings.attempts),
    truncation: explainByTruncation(complete),
    flips,
    subjects: describeSubjects(complete),
    nonAnswering: nonAnsweringTexts.map((text) => ({
      text: text === '' ? '(nothing)' : text.length > 90 ? `${text.slice(0, 24)}…` : text,
      ours: shareOf(complete, ({ item }) => item.options !== null && extractAnswer(text, item.options).letter === item.answer),
      lenient: shareOf(complete, ({ item }) => item.options !== null && extractLeniently(text, item.options) === item.answer),
    })),
  };
}

/** Which way an item went; with several attempts, by the mean over them, and one that stays the same is right from a half on. */
export function flipOf({ item, attempts }: PairedItem): ReportItem['flip'] {
  if (item.options === null) return null;
  const base = shareOf(attempts.base, ({ isRight }) => isRight === true);
  const tuned = shareOf(attempts.tuned, ({ isRight }) => isRight === true);
  if (tuned !== base) return tuned > base ? 'gained' : 'lost';
  return base >= 0.5 ? 'bothRight' : 'bothWrong';
}

function observe({ attempts, cluster }: PairedItem): PairedObservation {
  return {
    difference: shareOf(attempts.tuned, ({ isRight }) => isRight === true) - shareOf(attempts.base, ({ isRight }) => isRight === true),
    cluster,
  };
}

/** In percentage points, from the observed spread where there is one. */
export function smallestDetectablePp(difference: DifferencePp, items: number, attempts: number): SmallestDetectable {
  if (difference.isEstimable)
    return { difference: detectableStandardErrors(undefined, difference.df) * difference.standardError, basis: 'observed' };
  return { difference: 100 * detectableDifference(Math.max(1, items), attempts, { betweenItems: assumedDiscordance }), basis: 'assumed' };
}

function majorityBaseline(paired: readonly PairedItem[]): number {
  const counts = new Map<string, number>();
  for (const { item } of paired) counts.set(item.answer ?? '', (counts.get(item.answer ?? '') ?? 0) + 1);
  return paired.length === 0 ? 0 : Math.max(...counts.values()) / paired.length;
}

// Additive: the attempts where an arm was cut off, and all others, sum to the difference.
function explainByTruncation(paired: readonly PairedItem[]): TaskReport['truncation'] {
  let part = 0;
  let whole = 0;
  for (const { attempts } of paired) {
    for (const [index, tuned] of attempts.tuned.entries()) {
      const base = attempts.base[index];
      const difference = (Number(tuned.isRight) - Number(base?.isRight)) / attempts.tuned.length;
      whole += difference;
      if (tuned.isCutOff || base?.isCutOff === true) part += difference;
    }
  }
  return {
    partPp: paired.length === 0 ? 0 : (100 * part) / paired.length,
    share: Math.abs(whole) < 1e-9 ? null : part === 0 ? 0 : part / whole,
  };
}

function describeSubjects(paired: readonly PairedItem[]): TaskReport['subjects'] {
  const groups = Map.groupBy(
    paired.filter(({ item }) => item.subject !== null),
    ({ item }) => item.subject ?? '',
  );
  return [...groups]
    .map(([subject, entries]) => {
      const accuracyOf = (arm: 'base' | 'tuned'): number =>
        sum(entries.map(({ attempts }) => shareOf(attempts[arm], ({ isRight }) => isRight === true))) / entries.length;
      const accuracy = { base: accuracyOf('base'), tuned: accuracyOf('tuned') };
      return { subject, items: entries.length, accuracy, differencePp: 100 * (accuracy.tuned - accuracy.base) };
    })
    .toSorted((a, b) => b.items - a.items || a.subject.localeCompare(b.subject));
}
