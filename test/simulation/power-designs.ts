import { detectableDifference, detectableStandardErrors } from '../../src/eval/statistics/detectable-difference.ts';
import { attemptsOutcome, binaryOutcome, type Outcome } from './outcome.ts';

/** An evaluation whose true difference is the smallest detectable one at 80 % power. */
export interface PowerDesign {
  readonly name: string;
  readonly sizes: Uint16Array;
  readonly correlation: number;
  readonly outcome: Outcome;
  /**
   * The difference is over half of the discordance: nearly all discordant items go one way, which the formula (a mean and its
   * spread, unrelated) does not know. The power is then above 80 %.
   */
  readonly isOneWay: boolean;
}

const single = (count: number): Uint16Array => new Uint16Array(count).fill(1);

const assumed = [50, 200, 500, 1273].map((items) => ({
  name: `${items} items, 30 % discordance assumed`,
  sizes: single(items),
  correlation: 0,
  outcome: binaryOutcome(0.3, detectableDifference(items, 1, { betweenItems: 0.3 })),
}));

const known = [0.1, 0.3].flatMap((discordance) =>
  [100, 200, 500, 1273].map((items) => ({
    name: `${items} items, ${100 * discordance} % discordant`,
    sizes: single(items),
    correlation: 0,
    outcome: solveOutcome(
      (difference) => binaryOutcome(discordance, difference),
      ({ variance }) => detectableDifference(items, 1, { betweenItems: variance }),
    ),
  })),
);

// Kinds of item with their own true differences around the mean one: ω², σ_B² and σ_T² as the formula takes them.
const shifts = [-0.1, 0, 0.1, 0];
const bases = [0.3, 0.4, 0.5, 0.6];
const severalAttempts = [2, 4, 8].map((attempts) => {
  const kindsAt = (difference: number) => bases.map((base, kind) => ({ base, tuned: base + difference + (shifts[kind] ?? 0) }));
  return {
    name: `300 items, ${attempts} attempts`,
    sizes: single(300),
    correlation: 0,
    outcome: solveOutcome(
      (difference) => attemptsOutcome(attempts, kindsAt(difference)),
      ({ mean }) => {
        const kinds = kindsAt(mean);
        const within = (arm: 'base' | 'tuned'): number => average(kinds.map((kind) => kind[arm] * (1 - kind[arm])));
        const betweenItems = average(shifts.map((shift) => shift ** 2));
        return detectableDifference(300, attempts, { betweenItems, withinBase: within('base'), withinTuned: within('tuned') });
      },
    ),
  };
});

// As the report has it: standard errors times quantiles of t.
const clustered = [0, 0.2, 0.5].flatMap((correlation) =>
  (
    [
      ['50 clusters of 4', Array.from({ length: 50 }, () => 4)],
      ['100 clusters of 1 to 8', Array.from({ length: 100 }, (_, cluster) => 1 + (cluster % 8))],
    ] as const
  ).map(([name, sizes]) => {
    const items = sizes.reduce((sum, size) => sum + size, 0);
    const meanSize = sizes.reduce((sum, size) => sum + size ** 2, 0) / items;
    const standardErrors = detectableStandardErrors(undefined, items / meanSize - 1);
    return {
      name: `${name}, correlation ${correlation}, 30 % discordant`,
      sizes: Uint16Array.from(sizes),
      correlation,
      outcome: solveOutcome(
        (difference) => binaryOutcome(0.3, difference),
        ({ variance }) => standardErrors * Math.sqrt((variance * (1 + (meanSize - 1) * correlation)) / items),
      ),
    };
  }),
);

export const powerDesigns: readonly PowerDesign[] = [...assumed, ...known, ...severalAttempts, ...clustered].map((design) => ({
  ...design,
  isOneWay: design.outcome.mean > design.outcome.discordance / 2,
}));

// The smallest detectable difference depends on the spread, which depends on the difference.
function solveOutcome(outcomeAt: (difference: number) => Outcome, detectable: (outcome: Outcome) => number): Outcome {
  let outcome = outcomeAt(0);
  for (let round = 0; round < 50; round += 1) outcome = outcomeAt(detectable(outcome));
  return outcome;
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
