/** A distribution over the vocabulary, told by some of its tokens: the rest is one part of what is left of 1. */
export interface Distribution {
  readonly ids: readonly number[];
  /** Natural log-probabilities, in the order of `ids`. */
  readonly logprobs: readonly number[];
}

/** Smallest probability that is taken for a part; beyond it two distributions are as far apart as it matters. */
const least = 1e-12;

/**
 * KL(p || q) in nats over the parts {each token of p, all others}. Merging outcomes never raises a divergence, so this is a lower
 * bound of the one over the vocabulary; what it leaves out is at most the rest's share of it.
 *
 * @param q log-probabilities of p's tokens under q, in p's order
 */
export function divergenceOver(p: readonly number[], q: readonly number[]): number {
  let sum = 0;
  let keptP = 0;
  let keptQ = 0;
  for (const [index, logP] of p.entries()) {
    const logQ = q[index] ?? Math.log(least);
    const probability = Math.exp(logP);
    keptP += probability;
    keptQ += Math.exp(logQ);
    sum += probability * (logP - logQ);
  }
  const [restP, restQ] = [1 - keptP, Math.max(1 - keptQ, least)];
  if (restP > least) sum += restP * Math.log(restP / restQ);
  // The parts of a sum that is nothing but rounding.
  return Math.max(0, sum);
}

/** Arithmetic mean; 0 of nothing. */
export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
