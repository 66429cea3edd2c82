import { outcomes } from './type-outcome.ts';
import type { ArmAccuracy, ArmFormat, OutcomeRates } from './schema/report.ts';
import { Sample } from './schema/sample.ts';
import type { ScoredSample } from './score.ts';
import { wilsonInterval } from './statistics/wilson.ts';
import { countBullets, countParagraphs, repetitionRate, wordsOf } from './text-quality.ts';

/** Accuracy of one arm; `attemptsOfItems` holds the attempts of each item, all of them multiple choice. */
export function summariseAccuracy(attemptsOfItems: readonly (readonly ScoredSample[])[]): ArmAccuracy {
  const rightShares = attemptsOfItems.map((attempts) => shareOf(attempts, ({ isRight }) => isRight === true));
  const all = attemptsOfItems.flat();
  const answered = all.filter(({ outcome }) => outcome === 'answered');
  // Items, not attempts, are the sample: each counts once with the mean of its attempts.
  const answeredItems = attemptsOfItems.filter((attempts) => attempts.some(({ outcome }) => outcome === 'answered')).length;
  return {
    accuracy: wilsonInterval(sum(rightShares), attemptsOfItems.length),
    accuracyWhenAnswered: wilsonInterval(shareOf(answered, ({ isRight }) => isRight === true) * answeredItems, answeredItems),
    outcomes: outcomeRates(all),
  };
}

/** Form of one arm's samples; null for none. */
export function summariseFormat(scored: readonly ScoredSample[]): ArmFormat | null {
  if (scored.length === 0) return null;
  const samples = scored.map(({ sample }) => sample);
  const meanOf = (measure: (sample: Sample) => number): number => sum(samples.map(measure)) / samples.length;
  const closings = Sample.shape.thoughtClosed.options;
  return {
    samples: samples.length,
    closed: Object.fromEntries(
      closings.map((closing) => [closing, shareOf(samples, ({ thoughtClosed }) => thoughtClosed === closing)]),
    ) as ArmFormat['closed'], // fromEntries forgets the keys; they are the enum's own
    outcomes: outcomeRates(scored),
    emptyThoughtRate: shareOf(samples, ({ thoughtClosed, thought }) => thoughtClosed !== 'none' && thought.trim() === ''),
    thoughtRepetition: meanOf(({ thought }) => repetitionRate(wordsOf(thought))),
    answerRepetition: meanOf(({ answer }) => repetitionRate(wordsOf(answer))),
    thoughtBullets: meanOf(({ thought }) => countBullets(thought)),
    thoughtParagraphs: meanOf(({ thought }) => countParagraphs(thought)),
    answerBullets: meanOf(({ answer }) => countBullets(answer)),
    answerParagraphs: meanOf(({ answer }) => countParagraphs(answer)),
  };
}

/** Share of the entries that satisfy a test; 0 for none. */
export function shareOf<T>(entries: readonly T[], test: (entry: T) => boolean): number {
  return entries.length === 0 ? 0 : entries.filter(test).length / entries.length;
}

/** Sum of numbers. */
export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function outcomeRates(scored: readonly ScoredSample[]): OutcomeRates {
  const rateOf = (wanted: (typeof outcomes)[number]): number => shareOf(scored, ({ outcome }) => outcome === wanted);
  return {
    answered: rateOf('answered'),
    no_answer: rateOf('no_answer'),
    truncated: rateOf('truncated'),
    loop: rateOf('loop'),
    empty: rateOf('empty'),
  };
}
