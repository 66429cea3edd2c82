import { divergenceOver, type Distribution, meanOf } from './divergence.ts';
import type { ExportedModel } from './exported-model.ts';
import type { Reference } from './reference.ts';

type GreedyAnswer = Reference['arms']['base']['greedy'][number];

/** How a file's next-token distributions compare with those of its reference. */
export interface Reading {
  /** Mean KL(reference || file) over the places, in nats a token. */
  readonly kl: number;
  readonly klWorst: number;
  /** Share of places whose likeliest token is the reference's. */
  readonly sameTop: number;
  /** Log-probabilities of the reference's tokens under the file, by place. */
  readonly logprobs: readonly (readonly number[])[];
}

/** How a file's greedy answers compare with the reference's. */
export interface Agreement {
  /** Tokens of the reference before the first difference, over all its tokens. */
  readonly share: number;
  readonly equalTokens: number;
  readonly tokens: number;
  /** Answers that are the same to their end. */
  readonly wholeAnswers: number;
}

/** Reads the reference's texts with a file and compares the distributions at its places. */
export async function readTexts(model: ExportedModel, { texts }: Reference, reference: readonly Distribution[]): Promise<Reading> {
  const logprobs: (readonly number[])[] = [];
  const likeliest: number[] = [];
  for (const text of texts) {
    const wanted = reference.slice(logprobs.length, logprobs.length + text.places.length).map(({ ids }) => ids);
    for (const place of await model.read(text.ids, text.places, wanted)) {
      logprobs.push(place.logprobs);
      likeliest.push(place.likeliest);
    }
  }
  const kls = reference.map((distribution, place) => divergenceOver(distribution.logprobs, logprobs[place] ?? []));
  return {
    kl: meanOf(kls),
    klWorst: Math.max(0, ...kls),
    sameTop: meanOf(reference.map(({ ids }, place) => (ids[0] === likeliest[place] ? 1 : 0))),
    logprobs,
  };
}

/** Mean KL between two files over the same parts, in nats. */
export function divergenceBetween(left: Reading, right: Reading): number {
  return meanOf(left.logprobs.map((logprobs, place) => divergenceOver(logprobs, right.logprobs[place] ?? [])));
}

/** Lets a file answer the reference's prompts greedily, by the served way. */
export async function answerPrompts(
  model: ExportedModel,
  { prompts, eosId }: Reference,
  reference: readonly GreedyAnswer[],
): Promise<Agreement> {
  const equal = await Promise.all(
    prompts.map(async ({ text }, index) => {
      const wanted = reference[index];
      if (wanted === undefined) return 0;
      const { text: written, hasEnded } = await model.answer(text, wanted.ids.length);
      return countEqual(wanted, written, hasEnded, eosId);
    }),
  );
  const tokens = reference.reduce((sum, { ids }) => sum + ids.length, 0);
  const equalTokens = equal.reduce((sum, count) => sum + count, 0);
  return {
    share: tokens === 0 ? 1 : equalTokens / tokens,
    equalTokens,
    tokens,
    wholeAnswers: equal.filter((count, index) => count === reference[index]?.ids.length).length,
  };
}

/** Tokens of the reference that stand at the beginning of a written text, a final EOS included. */
export function countEqual(wanted: GreedyAnswer, written: string, hasEnded: boolean, eosId: number): number {
  const [left, right] = [[...wanted.text], [...written]];
  let common = 0;
  while (common < left.length && left[common] === right[common]) common += 1;
  const isEnded = wanted.ids.at(-1) === eosId;
  const ends = isEnded ? wanted.ends.slice(0, -1) : wanted.ends;
  const first = ends.findIndex((end) => end > common);
  const equal = first < 0 ? ends.length : first;
  return isEnded && equal === ends.length && hasEnded && right.length === (ends.at(-1) ?? 0) ? equal + 1 : equal;
}
