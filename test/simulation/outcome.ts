/** Distribution of one item's difference: values with their cumulative probabilities, and what theory says of them. */
export interface Outcome {
  readonly values: Float64Array;
  readonly cumulative: Float64Array;
  readonly mean: number;
  readonly variance: number;
  /** Probability of a difference that is not 0. */
  readonly discordance: number;
}

/** A kind of item by the chance of a right answer in each arm. */
export interface ItemKind {
  readonly base: number;
  readonly tuned: number;
}

/** One attempt: lost with (discordance − difference)/2, gained with (discordance + difference)/2, else 0. */
export function binaryOutcome(discordance: number, difference: number): Outcome {
  const lost = (discordance - difference) / 2;
  if (lost < 0 || discordance > 1) throw new RangeError(`No outcome has discordance ${discordance} and difference ${difference}.`);
  return outcomeOf([-1, 0, 1], [lost, 1 - discordance, (discordance + difference) / 2]);
}

/** Mean over attempts, for items that are each of the kinds with equal probability; exact, so that one draw gives one item. */
export function attemptsOutcome(attempts: number, kinds: readonly ItemKind[]): Outcome {
  const masses = Array.from({ length: 2 * attempts + 1 }, () => 0);
  for (const { base, tuned } of kinds) {
    for (let right = 0; right <= attempts; right += 1) {
      for (let baseRight = 0; baseRight <= attempts; baseRight += 1) {
        const index = right - baseRight + attempts;
        masses[index] =
          (masses[index] ?? 0) + (binomialMass(right, attempts, tuned) * binomialMass(baseRight, attempts, base)) / kinds.length;
      }
    }
  }
  return outcomeOf(
    masses.map((_mass, index) => (index - attempts) / attempts),
    masses,
  );
}

function outcomeOf(values: readonly number[], masses: readonly number[]): Outcome {
  const moment = (power: number): number => values.reduce((sum, value, index) => sum + value ** power * (masses[index] ?? 0), 0);
  let total = 0;
  const cumulative = Float64Array.from(masses, (mass) => (total += mass));
  const mean = moment(1);
  return {
    values: Float64Array.from(values),
    cumulative,
    mean,
    variance: moment(2) - mean ** 2,
    discordance: 1 - (masses[values.indexOf(0)] ?? 0),
  };
}

function binomialMass(successes: number, trials: number, probability: number): number {
  let mass = probability ** successes * (1 - probability) ** (trials - successes);
  for (let step = 1; step <= successes; step += 1) mass *= (trials - successes + step) / step;
  return mass;
}
