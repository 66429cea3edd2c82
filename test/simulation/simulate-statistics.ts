import { deriveSeed } from '../../src/core/rng.ts';
import { designs, type Design } from './designs.ts';
import { measureIntervals, type IntervalRates } from './error-rates.ts';
import { EvaluationSimulator } from './evaluation-simulator.ts';
import { measureMargins, measureMcNemar, measureSequential } from './other-rates.ts';
import type { Outcome } from './outcome.ts';
import { powerDesigns } from './power-designs.ts';
import { measureSharedBenchmarks } from './shared-benchmarks.ts';

/** A figure with the ends that it has to lie between, and null where it is only reported. */
export interface Figure {
  readonly group: string;
  readonly name: string;
  readonly value: number;
  readonly bar: readonly [number, number] | null;
}

/** All figures of the simulation; the same seed gives the same ones. Draws are evaluations of each design. */
export function* simulateStatistics(draws: number, seed: number): Generator<Figure> {
  yield* simulateIntervals(draws, seed);
  for (const { name, outcome, isOneWay, ...clustering } of powerDesigns) {
    const simulator = new EvaluationSimulator(outcome, clustering, deriveSeed(seed, 'power', name));
    const { excludesZero } = measureIntervals(simulator, { draws, truth: outcome.mean });
    yield { group: isOneWay ? 'powerOneWay' : 'power', name, value: excludesZero, bar: isOneWay ? [0.78, 1] : [0.78, 0.82] };
  }
  for (const items of [50, 200, 1273]) {
    for (const discordance of [0.1, 0.2, 0.4]) {
      const name = `${items} items, ${100 * discordance} % discordant`;
      const design = { sizes: new Uint16Array(items).fill(1), correlation: 0, discordance, draws };
      const rates = measureMcNemar({ ...design, seed: deriveSeed(seed, 'mcnemar', name) });
      yield { group: 'mcnemarExact', name, value: rates.exact, bar: [0, 0.05] };
      yield { group: 'mcnemarMidP', name, value: rates.midP, bar: null };
    }
  }
  const clustered = { sizes: new Uint16Array(50).fill(4), correlation: 0.5, discordance: 0.3, draws };
  const { exact } = measureMcNemar({ ...clustered, seed: deriveSeed(seed, 'mcnemar', 'clustered') });
  yield { group: 'mcnemarOnClusters', name: '50 clusters of 4, correlation 0.5', value: exact, bar: null };
  const margins = measureMargins(draws, deriveSeed(seed, 'margins'));
  yield { group: 'equivalence', name: 'true difference at the margin', value: margins.equivalence, bar: [0.04, 0.06] };
  yield { group: 'nonInferiority', name: 'true difference at the bound', value: margins.nonInferiority, bar: [0.018, 0.032] };
  const benchmarks = measureSharedBenchmarks(draws, deriveSeed(seed, 'benchmarks'));
  yield { group: 'sharedQuestions', name: 'two benchmarks with 60 common questions', value: benchmarks.withCovariance, bar: [0.04, 0.06] };
  yield { group: 'sharedQuestionsIgnored', name: 'the same without their covariance', value: benchmarks.without, bar: null };
  const sequential = measureSequential(draws, deriveSeed(seed, 'sequential'));
  yield { group: 'sequential', name: 'four looks', value: sequential.planned, bar: [0.04, 0.06] };
  yield { group: 'sequentialWithoutPlan', name: 'four looks at 5 % each', value: sequential.unplanned, bar: null };
}

function* simulateIntervals(draws: number, seed: number): Generator<Figure> {
  for (const design of designs) {
    const { name, isRegular } = design;
    const typeOne = measure(design, design.none, draws, deriveSeed(seed, name, 'none')).excludesZero;
    const { coverage } = measure(design, design.effect, draws, deriveSeed(seed, name, 'effect'));
    // The rest is on the safe side or thin: held to not being bold.
    yield { group: isRegular ? 'typeOne' : 'typeOneThin', name, value: typeOne, bar: isRegular ? [0.04, 0.06] : [0, 0.06] };
    yield { group: isRegular ? 'coverage' : 'coverageThin', name, value: coverage, bar: isRegular ? [0.94, 0.96] : [0.93, 1] };
    // The textbook formula beside it, where it differs.
    if (new Set(design.sizes).size > 1)
      yield {
        group: 'typeOneTextbook',
        name,
        value: measure(design, design.none, draws, deriveSeed(seed, name, 'none'), 'plain').excludesZero,
        bar: null,
      };
  }
}

function measure(design: Design, outcome: Outcome, draws: number, seed: number, correction?: 'plain'): IntervalRates {
  const simulator = new EvaluationSimulator(outcome, design, seed);
  return measureIntervals(simulator, { draws, truth: outcome.mean, ...(correction && { correction }) });
}
