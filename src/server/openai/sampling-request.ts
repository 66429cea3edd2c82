import { z } from 'zod';
import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import { drawSeed } from '../../core/rng.ts';
import { defaultSampling, type GenerateRequest } from '../../engine/engine.ts';

/** More than any context holds: a larger number is a slip. */
const maxTokens = 1_000_000;
const maxChoices = 8;
/** More than any vocabulary holds, and a whole number that native code can hold. */
const maxTopK = 1_000_000;
/** Each is applied at every token. */
const maxBiases = 300;
const seeds = 2 ** 32;

/** A number of tokens to generate. */
export const TokenLimit = z.int().min(1).max(maxTokens).nullish();

/** The engine divides by it, in 32 bits. */
const RepeatPenalty = z.number().min(0.01).max(5).nullish();

/** Counted before the numbers are looked at, each of which could be one more problem to tell of. */
const LogitBias = z
  .record(z.string(), z.unknown())
  .refine((bias) => Object.keys(bias).length <= maxBiases, `has more than ${maxBiases} tokens`)
  .pipe(z.record(z.string(), z.number().min(-100).max(100)));

/** Fields of a request that say how tokens are drawn, alike in chat and completions. */
export const samplingFields = {
  temperature: z.number().min(0).max(5).nullish().describe('0 always takes the likeliest token; default 0.6'),
  top_p: z.number().gt(0).max(1).nullish().describe('default 0.95'),
  top_k: z.int().min(0).max(maxTopK).nullish().describe('0: off, the default'),
  min_p: z.number().min(0).max(1).nullish().describe('0: off, the default'),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  repeat_penalty: RepeatPenalty.describe('1: off, the default'),
  repetition_penalty: RepeatPenalty.describe('another name of `repeat_penalty`'),
  seed: z
    .int()
    .min(0)
    .max(seeds - 1)
    .nullish()
    .describe('left out: a random one; the answer tells it as `osler.seed`'),
  n: z.int().min(1).max(maxChoices).nullish().describe('so many choices, with the seeds `seed`, `seed` + 1, …'),
  stop: z
    .union([z.string().min(1), z.array(z.string().min(1)).max(16)])
    .nullish()
    .describe('texts that end the answer and are not part of it'),
  logit_bias: LogitBias.nullish().describe(`by token id, ${maxBiases} of them at most: added to the logit; −100 never, 100 always`),
  stream: z.boolean().nullish().describe('server-sent events, the last of them `[DONE]`'),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  user: z.string().nullish().describe('accepted and not used'),
};
const SamplingRequest = z.object(samplingFields);
type SamplingRequest = z.infer<typeof SamplingRequest>;

/** What these fields mean to the engine, every default filled in. Throws OSLER_ERR_REQUEST_UNSUPPORTED. */
export function readSampling(body: SamplingRequest): Pick<GenerateRequest, 'sampling' | 'seed' | 'stop' | 'logitBias'> {
  const bias = body.logit_bias ?? {};
  if (typeof body.repeat_penalty === 'number' && (body.repetition_penalty ?? body.repeat_penalty) !== body.repeat_penalty)
    throw new OSLER_ERR_REQUEST_UNSUPPORTED('repetition_penalty', 'it differs from "repeat_penalty", which is the same');
  for (const id of Object.keys(bias)) {
    if (!/^\d{1,9}$/.test(id)) throw new OSLER_ERR_REQUEST_UNSUPPORTED(`logit_bias.${id.slice(0, 40)}`, 'its name is no token id');
  }
  return {
    sampling: {
      temperature: body.temperature ?? defaultSampling.temperature,
      topP: body.top_p ?? defaultSampling.topP,
      topK: body.top_k ?? defaultSampling.topK,
      minP: body.min_p ?? defaultSampling.minP,
      repeatPenalty: body.repeat_penalty ?? body.repetition_penalty ?? defaultSampling.repeatPenalty,
      frequencyPenalty: body.frequency_penalty ?? defaultSampling.frequencyPenalty,
      presencePenalty: body.presence_penalty ?? defaultSampling.presencePenalty,
    },
    seed: body.seed ?? drawSeed(),
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    ...(Object.keys(bias).length > 0 && { logitBias: bias }),
  };
}

/** One request for each of `n` choices, each with a seed of its own. */
export function requestsOfChoices(request: GenerateRequest, n: number): GenerateRequest[] {
  return Array.from({ length: n }, (_, index) => ({ ...request, seed: (request.seed + index) % seeds }));
}
