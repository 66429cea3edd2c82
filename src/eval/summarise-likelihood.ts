import { deriveSeed } from '../core/rng.ts';
import type { PairedItem } from './pair-records.ts';
import { differenceInNats } from './report-difference.ts';
import type { LikelihoodMetric } from './schema/report.ts';
import type { EvaluationSettings } from './schema/settings.ts';
import { detectableStandardErrors } from './statistics/detectable-difference.ts';
import { sum } from './summarise-arms.ts';

/** Mean negative log-likelihood per token of both kinds of reference text, and how many items could not be compared. */
export interface LikelihoodSummary {
  readonly thought: LikelihoodMetric;
  readonly answer: LikelihoodMetric;
  /** Items that the two arms cut into different numbers of tokens; left out, as their means are of different things. */
  readonly incomparable: readonly string[];
}

/** Summarises the likelihood records; null where none were planned. Each item counts once, whatever its length. */
export function summariseLikelihood(paired: readonly PairedItem[], settings: EvaluationSettings): LikelihoodSummary | null {
  if (!paired.some(({ measures }) => measures.includes('likelihood'))) return null;
  const incomparable = new Set<string>();
  const summarise = (part: 'thought' | 'answer'): LikelihoodMetric => {
    const rows: { base: number; tuned: number; cluster: string }[] = [];
    for (const { item, cluster, likelihood } of paired) {
      const { base, tuned } = likelihood;
      if (base === null || tuned === null) continue;
      const tokens = base[`${part}Tokens`];
      if (tokens !== tuned[`${part}Tokens`]) incomparable.add(item.id);
      else if (tokens > 0) rows.push({ base: base[`${part}Nll`] / tokens, tuned: tuned[`${part}Nll`] / tokens, cluster });
    }
    const difference = differenceInNats(
      rows.map(({ base, tuned, cluster }) => ({ difference: tuned - base, cluster })),
      { seed: deriveSeed(settings.seed, 'bootstrap', 'likelihood', part), draws: settings.bootstrapDraws },
    );
    return {
      items: rows.length,
      meanNll:
        rows.length === 0
          ? null
          : { base: sum(rows.map(({ base }) => base)) / rows.length, tuned: sum(rows.map(({ tuned }) => tuned)) / rows.length },
      difference,
      pHolm: null,
      smallestDetectableNats: difference.isEstimable ? detectableStandardErrors(undefined, difference.df) * difference.standardError : null,
    };
  };
  const [thought, answer] = [summarise('thought'), summarise('answer')];
  return { thought, answer, incomparable: [...incomparable] };
}
