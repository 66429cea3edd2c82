import type { TokenLogprob } from '../../engine/engine.ts';

/** OpenAI's word for "less likely than anything worth telling"; JSON has no −∞. */
const leastLogprob = -9999;

/** A token's log-probability as chat tells it. */
export interface ChatLogprob {
  readonly token: string;
  readonly logprob: number;
  /** UTF-8; null: a part of a character, whose bytes the engine does not tell. */
  readonly bytes: readonly number[] | null;
  readonly top_logprobs: readonly Omit<ChatLogprob, 'top_logprobs'>[];
}

export function encodeLogprobs(tokens: readonly TokenLogprob[]): { content: ChatLogprob[]; refusal: null } {
  return { content: tokens.map((token) => ({ ...encodeToken(token), top_logprobs: token.top.map(encodeToken) })), refusal: null };
}

function encodeToken({ text, logprob }: { text: string; logprob: number }): Omit<ChatLogprob, 'top_logprobs'> {
  return { token: text, logprob: finiteLogprob(logprob), bytes: text.includes('\uFFFD') ? null : [...Buffer.from(text)] };
}

/** Log-probabilities as the former completions API tells them. */
export interface CompletionLogprobs {
  readonly tokens: readonly string[];
  readonly token_logprobs: readonly number[];
  readonly top_logprobs: readonly Readonly<Record<string, number>>[];
  /** Where each token begins in the text. */
  readonly text_offset: readonly number[];
}

export function encodeCompletionLogprobs(tokens: readonly TokenLogprob[], startOffset: number): CompletionLogprobs {
  let offset = startOffset;
  return {
    tokens: tokens.map(({ text }) => text),
    token_logprobs: tokens.map(({ logprob }) => finiteLogprob(logprob)),
    top_logprobs: tokens.map(({ top }) => Object.fromEntries(top.map(({ text, logprob }) => [text, finiteLogprob(logprob)]))),
    text_offset: tokens.map(({ text }) => {
      const start = offset;
      offset += text.length;
      return start;
    }),
  };
}

function finiteLogprob(logprob: number): number {
  return Math.max(leastLogprob, logprob);
}
