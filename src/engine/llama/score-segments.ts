import type { ControlledEvaluateInputItem, LlamaContextSequence, Token } from 'node-llama-cpp';
import type { SegmentScore } from '../engine.ts';

/**
 * Negative log-likelihood of consecutive segments after a prompt, in nats.
 *
 * logprob = logit − max − ln(Σ exp(logit − max)), from one logit, the greedily selected one (the maximum) and the total weight,
 * since `probabilities` and `includeTop` sort the whole vocabulary, and `includeMax` leaves the maximum out (docs/decisions/0004).
 */
export async function scoreSegments(
  sequence: LlamaContextSequence,
  prompt: readonly Token[],
  segments: readonly (readonly Token[])[],
): Promise<SegmentScore[]> {
  const targets = segments.flat();
  const all = [...prompt, ...targets];
  if (prompt.length === 0) throw new Error('scoring needs a prompt of one token or more');
  if (all.length > sequence.contextSize)
    throw new Error(`the text to score has ${all.length} tokens and the context holds ${sequence.contextSize}`);
  const common = Math.min(sequence.compareContextTokens(all).firstDifferentIndex, prompt.length - 1);
  if (sequence.nextTokenIndex > common) await sequence.eraseContextTokenRanges([{ start: common, end: sequence.nextTokenIndex }]);

  const first = prompt.length - 1;
  const input = all.slice(common, -1).map((token, offset): ControlledEvaluateInputItem => {
    const target = all[common + offset + 1];
    if (common + offset < first || target === undefined) return token;
    return [
      token,
      {
        generateNext: {
          logits: { filter: { tokens: [target], includeSelected: true } },
          totalLogitWeight: true,
          options: { temperature: 0 },
        },
      },
    ];
  });
  const output = await sequence.controlledEvaluate(input);

  let place = first - common;
  return segments.map((segment) => {
    let nll = 0;
    for (const token of segment) {
      const next = output[place]?.next;
      place += 1;
      const logit = next?.logits?.get(token);
      if (next?.logits === undefined || logit === undefined || next.totalLogitWeight === undefined)
        throw new Error('the engine returned no logits');
      nll -= logit - Math.max(...next.logits.values()) - Math.log(next.totalLogitWeight);
    }
    return { nll, tokens: segment.length };
  });
}
