import { attemptsOutcome, binaryOutcome, type ItemKind, type Outcome } from './outcome.ts';

/** A simulated evaluation: how items hang together and what their differences are, without and with an effect. */
export interface Design {
  readonly name: string;
  readonly sizes: Uint16Array;
  readonly correlation: number;
  readonly none: Outcome;
  readonly effect: Outcome;
  /** Independent discordant items that are expected: n · P(d ≠ 0) / (1 + (n/G* − 1)ρ), G* the next line. */
  readonly independentDiscordant: number;
  /** n²/Σm²: the number of equal clusters that weigh as much. */
  readonly independentClusters: number;
  /** At least 15 independent discordant items and 20 independent clusters: below, intervals of means stray from their level. */
  readonly isRegular: boolean;
}

const equal = (clusters: number, size: number): number[] => Array.from({ length: clusters }, () => size);
const layouts: readonly (readonly [string, readonly number[]])[] = [
  ['50 of 1', equal(50, 1)],
  ['100 of 1', equal(100, 1)],
  ['500 of 1', equal(500, 1)],
  ['50 of 4', equal(50, 4)],
  ['200 of 4', equal(200, 4)],
  // As MMLU repeats some of its questions.
  ['270 of 1, 30 of 2', [...equal(270, 1), ...equal(30, 2)]],
  ['50 of 1 to 8', Array.from({ length: 50 }, (_, cluster) => 1 + (cluster % 8))],
  ['100 of 1 to 8', Array.from({ length: 100 }, (_, cluster) => 1 + (cluster % 8))],
  // Log-normal, as vignettes with follow-up questions: most of 1 to 3, the largest of 15.
  ['100 log-normal', Array.from({ length: 100 }, (_, cluster) => Math.max(1, Math.round(Math.exp(-1.3 + (4 * (cluster + 0.5)) / 100))))],
  ['50 log-normal', Array.from({ length: 50 }, (_, cluster) => Math.max(1, Math.round(Math.exp(-1.3 + (4 * (cluster + 0.5)) / 50))))],
  // A tenth of the clusters holds over half of the items.
  ['10 of 20, 90 of 2', [...equal(10, 20), ...equal(90, 2)]],
  ['5 of 20, 45 of 2', [...equal(5, 20), ...equal(45, 2)]],
];

const sameKinds: readonly ItemKind[] = [
  { base: 0.3, tuned: 0.5 },
  { base: 0.5, tuned: 0.3 },
  { base: 0.9, tuned: 0.9 },
  { base: 0.6, tuned: 0.6 },
];
const outcomes: readonly (readonly [string, Outcome, Outcome])[] = [
  ...[0.1, 0.2, 0.4].map(
    (discordance) =>
      [`${100 * discordance} % discordant`, binaryOutcome(discordance, 0), binaryOutcome(discordance, discordance / 4)] as const,
  ),
  [
    '4 attempts',
    attemptsOutcome(4, sameKinds),
    attemptsOutcome(
      4,
      sameKinds.map(({ base, tuned }) => ({ base, tuned: tuned + 0.05 })),
    ),
  ],
];

/** All layouts with all outcomes, at correlations of 0, 0.2 and 0.5 where there are clusters to speak of. */
export const designs: readonly Design[] = layouts.flatMap(([layout, sizes]) =>
  (Math.max(...sizes) === 1 ? [0] : [0, 0.2, 0.5]).flatMap((correlation) =>
    outcomes.map(([outcome, none, effect]) => {
      const items = sizes.reduce((sum, size) => sum + size, 0);
      const meanSize = sizes.reduce((sum, size) => sum + size ** 2, 0) / items;
      const independentDiscordant = (items * none.discordance) / (1 + (meanSize - 1) * correlation);
      const independentClusters = items / meanSize;
      return {
        name: `${layout}; correlation ${correlation}; ${outcome}`,
        sizes: Uint16Array.from(sizes),
        correlation,
        none,
        effect,
        independentDiscordant,
        independentClusters,
        isRegular: independentDiscordant >= 15 && independentClusters >= 20,
      };
    }),
  ),
);
