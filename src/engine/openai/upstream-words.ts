import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import { defaultSampling, type AnswerGrammar, type GenerateRequest, type Sampling } from '../engine.ts';
import type { UpstreamKind } from './upstream-ref.ts';

/** Which route a request goes to: a rendered prompt, or the messages. */
export type UpstreamMode = 'completions' | 'chat';

type Fields = Record<string, unknown>;

/**
 * Sampling in the upstream's own words.
 *
 * All of it is said to servers that have defaults of their own (llama-server's top_k is 40, vLLM takes the model's file);
 * others get OpenAI's parameters, and what these cannot say is refused by name.
 */
export function samplingFields(kind: UpstreamKind, sampling: Sampling): Fields {
  const { temperature, topP, topK, minP, repeatPenalty, frequencyPenalty, presencePenalty } = sampling;
  const penalties = { frequency_penalty: frequencyPenalty, presence_penalty: presencePenalty };
  const common = { temperature, top_p: topP };
  switch (kind) {
    case 'osler':
    case 'llama-server':
      return { ...common, ...penalties, top_k: topK, min_p: minP, repeat_penalty: repeatPenalty };
    case 'vllm':
      // Before 0.8 vLLM refused a top_k of 0.
      return { ...common, ...penalties, top_k: topK === 0 ? -1 : topK, min_p: minP, repetition_penalty: repeatPenalty };
    case 'other':
      refuseUnless('top_k', topK === defaultSampling.topK);
      refuseUnless('min_p', minP === defaultSampling.minP);
      refuseUnless('repeat_penalty', repeatPenalty === defaultSampling.repeatPenalty);
      return { ...common, ...(frequencyPenalty === 0 && presencePenalty === 0 ? {} : penalties) };
  }
}

/** The answer's form in the upstream's own words. Throws OSLER_ERR_REQUEST_UNSUPPORTED. */
export function grammarFields(kind: UpstreamKind, mode: UpstreamMode, grammar: AnswerGrammar): Fields {
  const isLlamaServer = kind === 'llama-server';
  if (grammar.type === 'gbnf') {
    refuseUnless('grammar', isLlamaServer);
    return { grammar: grammar.text };
  }
  if (isLlamaServer && mode === 'completions') return { json_schema: grammar.type === 'json' ? { type: 'object' } : grammar.schema };
  // Others take unknown fields of completions without a word, and would leave the answer free.
  refuseUnless('response_format', mode === 'chat' || kind !== 'other');
  return {
    response_format:
      grammar.type === 'json'
        ? { type: 'json_object' }
        : { type: 'json_schema', json_schema: { name: 'answer', schema: grammar.schema, strict: true } },
  };
}

/** What both modes send alike. Throws OSLER_ERR_REQUEST_UNSUPPORTED naming what the upstream cannot do. */
export function commonFields(kind: UpstreamKind, model: string, request: GenerateRequest): Fields {
  refuseUnless('logprobs', request.topLogprobs === undefined);
  return {
    model,
    stream: true,
    // Without running totals vLLM's chunks, which may hold several tokens, could not be counted.
    stream_options: { include_usage: true, ...(kind === 'vllm' && { continuous_usage_stats: true }) },
    ...(kind === 'llama-server' && { timings_per_token: true }),
    ...samplingFields(kind, request.sampling),
    seed: request.seed,
    ...(request.logitBias !== undefined && { logit_bias: request.logitBias }),
  };
}

/** Refuses by name, unless something holds. */
export function refuseUnless(parameter: string, isPossible: boolean, why = 'the upstream of this model does not offer it'): void {
  if (!isPossible) throw new OSLER_ERR_REQUEST_UNSUPPORTED(parameter, why);
}
