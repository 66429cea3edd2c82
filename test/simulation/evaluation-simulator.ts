import { createRandom } from '../../src/core/rng.ts';
import type { Outcome } from './outcome.ts';

/** Clusters by their sizes, and how strongly items of one cluster resemble each other. */
export interface Clustering {
  readonly sizes: Uint16Array;
  /** Correlation of the differences of two items of one cluster, in [0, 1). */
  readonly correlation: number;
}

/**
 * Draws evaluations one after the other into arrays that are used again: `sizes`, `sums` and `squares` are the residuals by cluster
 * that the estimator takes, `mean` the mean difference.
 *
 * Items of a cluster come from Pólya's urn: a new draw with probability a/(a + i) for the i-th, else a copy of one before, a = (1 − ρ)/ρ.
 * So each item has exactly the outcome's distribution and two of a cluster exactly the correlation ρ (for one attempt this is the
 * Dirichlet-multinomial).
 */
export class EvaluationSimulator {
  readonly sizes: Uint16Array;
  readonly sums: Float64Array;
  readonly squares: Float64Array;
  readonly itemCount: number;
  /** Of the latest draw. */
  mean = 0;
  lost = 0;
  gained = 0;
  readonly #outcome: Outcome;
  readonly #urn: number;
  readonly #random: () => number;
  readonly #drawn: Float64Array;

  constructor(outcome: Outcome, { sizes, correlation }: Clustering, seed: number) {
    this.#outcome = outcome;
    this.#urn = correlation === 0 ? Infinity : (1 - correlation) / correlation;
    this.#random = createRandom(seed);
    this.sizes = sizes;
    this.itemCount = sizes.reduce((sum, size) => sum + size, 0);
    this.sums = new Float64Array(sizes.length);
    this.squares = new Float64Array(sizes.length);
    this.#drawn = new Float64Array(Math.max(...sizes));
  }

  draw(): void {
    let total = 0;
    this.lost = 0;
    this.gained = 0;
    for (let cluster = 0; cluster < this.sizes.length; cluster += 1) {
      let sum = 0;
      let square = 0;
      const size = this.sizes[cluster] ?? 0;
      for (let item = 0; item < size; item += 1) {
        const difference = this.#drawItem(item);
        this.#drawn[item] = difference;
        sum += difference;
        square += difference * difference;
        if (difference < 0) this.lost += 1;
        else if (difference > 0) this.gained += 1;
      }
      this.sums[cluster] = sum;
      this.squares[cluster] = square;
      total += sum;
    }
    this.mean = total / this.itemCount;
    for (let cluster = 0; cluster < this.sizes.length; cluster += 1) {
      const size = this.sizes[cluster] ?? 0;
      const sum = this.sums[cluster] ?? 0;
      this.sums[cluster] = sum - size * this.mean;
      this.squares[cluster] = (this.squares[cluster] ?? 0) - 2 * this.mean * sum + size * this.mean ** 2;
    }
  }

  #drawItem(index: number): number {
    const random = this.#random;
    if (index > 0 && this.#urn < Infinity && random() * (this.#urn + index) >= this.#urn)
      return this.#drawn[Math.floor(random() * index)] ?? 0;
    const { values, cumulative } = this.#outcome;
    const place = random();
    let value = 0;
    while (value < values.length - 1 && place >= (cumulative[value] ?? 1)) value += 1;
    return values[value] ?? 0;
  }
}
