import { normalCdf, normalQuantile } from './distributions.ts';

/** One look at the data of a plan with early stopping. */
export interface SequentialLook {
  /** Share of the planned information at this look, in (0, 1]. */
  readonly fraction: number;
  /** Two-sided error that may have been spent by now. */
  readonly spent: number;
  /** Stop where |z| is above it. */
  readonly bound: number;
  /** Two-sided p of the bound: stop where the interval at confidence 1 − `nominalAlpha` excludes 0. */
  readonly nominalAlpha: number;
}

/** Two-sided error spent by a share of the information: Lan and DeMets (1983), like O'Brien and Fleming; alpha/2 to each side. */
export function spentAlpha(fraction: number, alpha = 0.05): number {
  return 4 * normalCdf(-normalQuantile(1 - alpha / 4) / Math.sqrt(fraction));
}

/**
 * Bounds of a group-sequential plan with symmetric two-sided alpha spending, by the recursive integration of Armitage,
 * McPherson and Rowe (1969). Bounds depend on the looks so far only, so looks need not be planned; a stop needs its plan to
 * be named before the run, and the interval at 1 − nominalAlpha (a repeated interval) stays valid whenever one stops.
 *
 * @param fractions rising, each in (0, 1], at most 50; the error is used up only where the last is 1
 * @throws RangeError where they are not
 */
export function planLooks(fractions: readonly number[], alpha = 0.05): SequentialLook[] {
  checkFractions(fractions);
  const looks: SequentialLook[] = [];
  // Paths that have not stopped: density of the score z·√fraction at the nodes, times the weights of the quadrature.
  let going: Nodes = { places: [0], masses: [1] };
  let before = 0;
  for (const fraction of fractions) {
    const step = Math.sqrt(fraction - before);
    const toSpend = Math.max(0, spentAlpha(fraction, alpha) - (looks.at(-1)?.spent ?? 0));
    const bound = Math.min(farthestBound, findBound(going, step, toSpend) / Math.sqrt(fraction));
    looks.push({ fraction, spent: spentAlpha(fraction, alpha), bound, nominalAlpha: 2 * normalCdf(-bound) });
    going = moveOn(going, step, bound * Math.sqrt(fraction));
    before = fraction;
  }
  return looks;
}

interface Nodes {
  readonly places: ArrayLike<number>;
  readonly masses: ArrayLike<number>;
}

const mostLooks = 50;
// As ld98 cuts bounds off: an error of 1e-15, so that the interval at a very early look has ends.
const farthestBound = 8;

function checkFractions(fractions: readonly number[]): void {
  const isRising = fractions.every((fraction, index) => fraction > (fractions[index - 1] ?? 0) && fraction <= 1);
  if (!isRising || fractions.length === 0 || fractions.length > mostLooks)
    throw new RangeError(`Looks at ${fractions.join(', ')} are not 1 to ${mostLooks} rising shares in (0, 1].`);
}

/** Probability to leave (−bound, bound) with the next step. */
function exitProbability({ places, masses }: Nodes, step: number, bound: number): number {
  let probability = 0;
  for (let node = 0; node < places.length; node += 1) {
    const place = places[node] ?? 0;
    probability += (masses[node] ?? 0) * (normalCdf((place - bound) / step) + normalCdf((-bound - place) / step));
  }
  return probability;
}

function findBound(going: Nodes, step: number, toSpend: number): number {
  let [low, high] = [0, farthestBound];
  for (let halving = 0; halving < 60; halving += 1) {
    const middle = (low + high) / 2;
    if (exitProbability(going, step, middle) > toSpend) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

// Simpson's rule, with nodes much closer than both this step and what is left of the density: bounds right to 1e-8 or better.
function moveOn({ places, masses }: Nodes, step: number, bound: number): Nodes {
  const intervals = 2 * Math.ceil(Math.min(2000, Math.max(128, (16 * bound) / step)));
  const width = (2 * bound) / intervals;
  const nextPlaces = Float64Array.from({ length: intervals + 1 }, (_, node) => node * width - bound);
  const nextMasses = nextPlaces.map((to, node) => {
    const weight = node === 0 || node === intervals ? 1 : node % 2 === 1 ? 4 : 2;
    let density = 0;
    for (let from = 0; from < places.length; from += 1) {
      density += (masses[from] ?? 0) * Math.exp(-0.5 * ((to - (places[from] ?? 0)) / step) ** 2);
    }
    return (density * weight * width) / (3 * step * Math.sqrt(2 * Math.PI));
  });
  return { places: nextPlaces, masses: nextMasses };
}
