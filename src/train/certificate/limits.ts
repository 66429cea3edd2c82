/** Times that a tuned file may be further from its reference than the base's own export of the same type. */
const klFactor = 3;
/** Nats that any two ways of computing the same model may differ by: kernels, order of adding, a 16-bit cache. */
const klFloor = 5e-4;
/** Of the base's share of equal tokens that a tuned file must reach. */
const greedyFactor = 1 / 8;
/** A base that needs as many nats a token as this share of a blind guess has random weights. */
const blindShare = 0.8;

/**
 * Largest mean KL of a tuned file from its reference: calibrated on what the same quantisation does to the base, over the same texts.
 * docs/certificate.md has the measurements behind the numbers.
 */
export function klLimit(baseKl: number): number {
  return klFactor * baseKl + klFloor;
}

/** Merged file and base with adapter are both rounded, each in its own way: their errors add up. */
export function armsKlLimit(baseKl: number): number {
  return 2 * klLimit(baseKl);
}

/**
 * Least share of tokens before the first difference. The length of an equal beginning varies as a geometric number does, so the sum over
 * eight answers by a third: an eighth of the base's is six deviations of its logarithm away, and another model agrees in a token or two.
 */
export function greedyShareLimit(baseShare: number): number {
  return greedyFactor * baseShare;
}

/** Whether a base predicts text no better than chance. */
export function hasRandomWeights(baseNll: number, vocabulary: number): boolean {
  return baseNll > blindShare * Math.log(vocabulary);
}
