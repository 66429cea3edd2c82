import type { RefusedParameter } from './refused-parameters.ts';

const endsByItself = 'an answer ends where the model ends it, at "stop", or at the limit of tokens';
const drawsOtherwise = 'tokens are drawn by temperature, top_p, top_k, min_p and the penalties only';

/**
 * What llama-server's and vLLM's clients may send to any route that generates, and no route here does.
 * `formatField` is where the route takes a JSON Schema.
 */
export function foreignParameters(formatField: string): RefusedParameter[] {
  const useFormat = `use "${formatField}" with a JSON Schema`;
  return [
    { name: 'ignore_eos', why: endsByItself },
    { name: 'min_tokens', why: endsByItself, harmless: [0] },
    { name: 'stop_token_ids', why: 'name texts in "stop"' },
    { name: 'bad_words', why: 'use "logit_bias"' },
    { name: 'allowed_token_ids', why: 'use "logit_bias"' },
    { name: 'mirostat', why: drawsOtherwise, harmless: [0] },
    { name: 'typical_p', why: drawsOtherwise, harmless: [1] },
    { name: 'typ_p', why: drawsOtherwise, harmless: [1] },
    { name: 'top_n_sigma', why: drawsOtherwise, harmless: [-1, 0] },
    { name: 'dynatemp_range', why: drawsOtherwise, harmless: [0] },
    { name: 'dry_multiplier', why: drawsOtherwise, harmless: [0] },
    { name: 'xtc_probability', why: drawsOtherwise, harmless: [0] },
    { name: 'use_beam_search', why: drawsOtherwise },
    { name: 'prompt_logprobs', why: 'the log-probabilities of a prompt are not told' },
    { name: 'truncate_prompt_tokens', why: 'a prompt that is too long is refused' },
    { name: 'lora', why: 'adapters are models of their own here; see GET /v1/models' },
    { name: 'grammar', why: useFormat },
    { name: 'json_schema', why: useFormat },
    { name: 'structured_outputs', why: useFormat },
    { name: 'guided_json', why: useFormat },
    { name: 'guided_regex', why: useFormat },
    { name: 'guided_choice', why: `use "${formatField}" with an "enum"` },
    { name: 'guided_grammar', why: useFormat },
  ];
}
