import type { ControlledEvaluateInputItem, LlamaContextSequence, Token } from 'node-llama-cpp';

/** A text and where in it to look: after token `places[i]`, how likely each of `wanted[i]` is to be the next. */
export interface ReadRequest {
  readonly tokens: readonly number[];
  /** Ascending. */
  readonly places: readonly number[];
  readonly wanted: readonly (readonly number[])[];
}

/** The answer for one place. */
export interface PlaceReading {
  /** Natural log-probabilities of the wanted tokens, in their order. */
  readonly logprobs: readonly number[];
  /** The likeliest token. */
  readonly likeliest: number;
}

/** Up to so many tokens a filter over the vocabulary is quicker than all logits (2.5 ms against 20 at 256 of 49,152). */
const filterTokens = 512;

/** Next-token distributions within a text that is read as it stands, with nothing drawn. */
export async function readDistributions(sequence: LlamaContextSequence, request: ReadRequest): Promise<PlaceReading[]> {
  const { tokens, places, wanted } = request;
  if (tokens.length > sequence.contextSize)
    throw new Error(`the text has ${tokens.length} tokens and the context holds ${sequence.contextSize}`);
  await sequence.clearHistory();
  const wantedAt = new Map(places.map((place, index) => [place, wanted[index] ?? []]));
  const input = tokens.slice(0, (places.at(-1) ?? -1) + 1).map((token, place): ControlledEvaluateInputItem => {
    const here = wantedAt.get(place);
    // The caller has checked them against the vocabulary.
    return here === undefined ? (token as Token) : [token as Token, { generateNext: readingOf(here) }];
  });
  const readings = new Map<number, PlaceReading>();
  await sequence.controlledEvaluate(input, {
    onTokenResult: (place, { next }) => {
      const here = wantedAt.get(place);
      if (here === undefined || next.logits === undefined || next.totalLogitWeight === undefined || typeof next.token !== 'number') return;
      readings.set(place, { logprobs: logprobsOf(here, next.logits, next.token, next.totalLogitWeight), likeliest: next.token });
      // The library would keep the logits of all places, megabytes each.
      delete next.logits;
    },
  });
  return places.map((place) => {
    const reading = readings.get(place);
    if (reading === undefined) throw new Error('the engine returned no logits');
    return reading;
  });
}

/** What to ask of one place. The greedily selected token is the maximum (docs/decisions/0004). */
function readingOf(wanted: readonly number[]) {
  return {
    token: true,
    totalLogitWeight: true,
    logits: wanted.length <= filterTokens ? { filter: { tokens: wanted as Token[], includeSelected: true } } : true,
    options: { temperature: 0 },
  };
}

function logprobsOf(wanted: readonly number[], logits: ReadonlyMap<number, number>, likeliest: number, weight: number): number[] {
  const greatest = logits.get(likeliest) ?? Number.NaN;
  const all = greatest + Math.log(wanted.length <= filterTokens ? weight : weightOf(logits, greatest));
  return wanted.map((token) => {
    const logit = logits.get(token);
    if (logit === undefined) throw new Error(`token ${token} has no logit`);
    return logit - all;
  });
}

/** The total weight in double precision: the library adds up a flat distribution's in single, which is off by 1e-4. */
function weightOf(logits: ReadonlyMap<number, number>, greatest: number): number {
  let sum = 0;
  for (const logit of logits.values()) sum += Math.exp(logit - greatest);
  return sum;
}
