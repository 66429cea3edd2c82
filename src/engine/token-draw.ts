import type { Sampling } from './engine.ts';

/** A token that may come next, with its logit as the model gave it. */
export interface Candidate {
  readonly id: number;
  readonly logit: number;
}

export interface DrawOptions {
  readonly sampling: Sampling;
  readonly logitBias: Readonly<Record<string, number>>;
  /** Tokens that the penalties count. */
  readonly recent: readonly number[];
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Draws the next token from candidates, in the order of llama.cpp's samplers: bias, penalties, top-k, top-p, min-p, temperature.
 * Candidates must hold every token of any weight; which of them are left out has no influence on the others' odds.
 *
 * @throws RangeError without candidates
 */
export function drawToken(candidates: readonly Candidate[], options: DrawOptions): number {
  const { sampling, random } = options;
  const sorted = candidates
    .map(({ id, logit }) => ({ id, logit: adjust(id, logit, options) }))
    .filter(({ logit }) => logit > -Infinity)
    .toSorted((a, b) => b.logit - a.logit || a.id - b.id);
  const [best] = sorted;
  if (best === undefined) throw new RangeError('there is no token to draw from');
  if (sampling.temperature <= 0) return best.id;
  let kept = sampling.topK > 0 ? sorted.slice(0, sampling.topK) : sorted;
  if (sampling.topP < 1) kept = nucleus(kept, sampling.topP);
  if (sampling.minP > 0) kept = kept.filter(({ logit }) => logit >= best.logit + Math.log(sampling.minP));
  const weights = kept.map(({ logit }) => Math.exp((logit - best.logit) / sampling.temperature));
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, candidate] of kept.entries()) {
    left -= weights[index] ?? 0;
    if (left < 0) return candidate.id;
  }
  return kept.at(-1)?.id ?? best.id;
}

function adjust(id: number, logit: number, { sampling, logitBias, recent }: DrawOptions): number {
  let value = logit + (logitBias[String(id)] ?? 0);
  const count = recent.filter((token) => token === id).length;
  if (count === 0) return value;
  // A logit below 0 is multiplied, or the penalty would reward it.
  value = value <= 0 ? value * sampling.repeatPenalty : value / sampling.repeatPenalty;
  return value - count * sampling.frequencyPenalty - sampling.presencePenalty;
}

/** The fewest most likely candidates that hold `topP` of the weight. */
function nucleus(sorted: readonly Candidate[], topP: number): Candidate[] {
  const best = sorted[0]?.logit ?? 0;
  const weights = sorted.map(({ logit }) => Math.exp(logit - best));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  const count = weights.findIndex((weight) => {
    sum += weight / total;
    return sum >= topP;
  });
  return sorted.slice(0, count < 0 ? sorted.length : count + 1);
}
