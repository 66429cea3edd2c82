import { z } from 'zod';
import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import type { GenerateRequest } from '../../engine/engine.ts';
import { readResponseFormat, ResponseFormat } from './answer-form.ts';
import { foreignParameters } from './foreign-parameters.ts';
import { refuseParameters } from './refused-parameters.ts';
import { readSampling, samplingFields, TokenLimit } from './sampling-request.ts';

/** OpenAI's default: clients of this interface rely on it. */
const defaultMaxTokens = 16;
const maxPrompts = 16;
/** Refused whatever is in it, so nothing of it is looked at. */
const TokenList = z.array(z.unknown()).meta({ items: { type: 'integer' } });
/** So long a list is looked at, to say what is wrong with it: it may be of tokens. */
const maxListed = 4096;

/** Body of POST /v1/completions: raw prompts, continued as they are. */
export const CompletionRequest = z.looseObject({
  model: z.string().min(1),
  prompt: z
    .union(
      [
        z.string(),
        z
          .array(z.union([z.string(), z.int(), TokenList]))
          .min(1)
          .max(maxListed),
      ],
      'is no text, nor a list of texts',
    )
    .describe(`text, or up to ${maxPrompts} of them; lists of tokens are refused`),
  ...samplingFields,
  max_tokens: TokenLimit.describe(`default ${defaultMaxTokens}`),
  echo: z.boolean().nullish().describe('the prompt stands before the text'),
  logprobs: z.int().min(0).max(20).nullish().describe('alternatives to tell with each token'),
  response_format: ResponseFormat.nullish().describe('holds the text to JSON, or to a JSON Schema, from its first token on'),
});
export type CompletionRequest = z.infer<typeof CompletionRequest>;

/** The generations that a body asks for, `n` of them for each prompt. Throws OSLER_ERR_REQUEST_UNSUPPORTED. */
export function readCompletionRequest(body: CompletionRequest): GenerateRequest[] {
  refuseParameters(body, [
    { name: 'suffix', why: 'the models continue text and fill no gaps' },
    { name: 'best_of', why: 'use "n" and choose', harmless: [1, body.n ?? 1] },
    { name: 'store', why: 'nothing is kept' },
    { name: 'n_predict', why: 'use "max_tokens"' },
    { name: 'max_completion_tokens', why: 'use "max_tokens"', harmless: [body.max_tokens] },
    { name: 'top_logprobs', why: 'use "logprobs" with a number', harmless: [0] },
    { name: 'tools', why: 'functions are offered by POST /v1/chat/completions' },
    { name: 'messages', why: 'send them to POST /v1/chat/completions' },
    ...foreignParameters('response_format'),
  ]);
  if (body.echo === true && typeof body.logprobs === 'number')
    throw new OSLER_ERR_REQUEST_UNSUPPORTED('echo', 'the log-probabilities of a prompt are not told');
  const { seed, ...sampling } = readSampling(body);
  const grammar = readResponseFormat(body.response_format);
  return promptsOf(body.prompt).map((prompt) => ({
    prompt,
    isThoughtPreopened: false,
    // Tags are text like any other here.
    isThinkingEnabled: false,
    maxTokens: body.max_tokens ?? defaultMaxTokens,
    thinkingBudgetTokens: null,
    ...sampling,
    seed,
    stopScope: 'content',
    ...(typeof body.logprobs === 'number' && { topLogprobs: body.logprobs }),
    ...(grammar !== undefined && { grammar }),
  }));
}

function promptsOf(prompt: CompletionRequest['prompt']): string[] {
  if (typeof prompt === 'string') return [prompt];
  if (prompt.length > maxPrompts) throw new OSLER_ERR_REQUEST_UNSUPPORTED('prompt', `${maxPrompts} prompts are the most at once`);
  return prompt.map((entry) => {
    if (typeof entry === 'string') return entry;
    throw new OSLER_ERR_REQUEST_UNSUPPORTED('prompt', 'lists of tokens are not taken; send text');
  });
}
