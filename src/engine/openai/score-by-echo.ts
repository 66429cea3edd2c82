import { z } from 'zod';
import { OSLER_ERR_UPSTREAM_FAILED } from '../../core/errors.ts';
import type { SegmentScore } from '../engine.ts';
import type { UpstreamDescription } from './describe-upstream.ts';
import type { UpstreamClient } from './upstream-client.ts';
import { refuseUnless } from './upstream-words.ts';

const Echo = z.looseObject({
  choices: z.array(z.looseObject({ logprobs: z.looseObject({ token_logprobs: z.array(z.number().nullable()) }) })).min(1),
});

/**
 * Scores segments by having the upstream repeat the prompt with its log-probabilities (`echo` of the legacy completions).
 * Segments are tokenized one by one, as our own engine does, so that no token straddles two.
 *
 * @throws OSLER_ERR_REQUEST_UNSUPPORTED on all but vLLM: llama-server has no echo
 */
export async function scoreByEcho(
  upstream: { name: string; client: UpstreamClient; description: UpstreamDescription; timeoutMs: number; signal: AbortSignal },
  prompt: string,
  segments: readonly string[],
): Promise<SegmentScore[]> {
  const { client, description, name, signal, timeoutMs } = upstream;
  const { tokenizer } = description;
  refuseUnless(
    'score',
    description.kind === 'vllm' && tokenizer !== null,
    'the upstream of this model gives no log-probabilities of a prompt',
  );
  const parts = await Promise.all([prompt, ...segments].map(async (text) => (await tokenizer?.tokenize(text, signal)) ?? []));
  const body = { model: description.model, prompt: parts.flat(), echo: true, logprobs: 1, max_tokens: 1, temperature: 0 };
  const answer = Echo.safeParse(await client.ask({ path: '/completions', body }, { signal, timeoutMs }));
  const logprobs = answer.data?.choices[0]?.logprobs.token_logprobs ?? [];
  let place = parts[0]?.length ?? 0;
  return parts.slice(1).map((tokens) => {
    const own = logprobs.slice(place, place + tokens.length).filter((value) => value !== null);
    if (own.length < tokens.length) throw new OSLER_ERR_UPSTREAM_FAILED(name, 'it gave fewer log-probabilities than tokens');
    place += tokens.length;
    return { nll: -own.reduce((sum, value) => sum + value, 0), tokens: tokens.length };
  });
}
