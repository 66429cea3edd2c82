import { z } from 'zod';
import type { UpstreamClient } from './upstream-client.ts';
import type { UpstreamKind } from './upstream-ref.ts';

const Tokens = z.looseObject({ tokens: z.array(z.int()) });
const Content = z.looseObject({ content: z.string() });
const Prompt = z.looseObject({ prompt: z.string() });

/** The upstream's own tokenizer, without anything added at the start; special tokens in the text are read as such. */
export interface UpstreamTokenizer {
  tokenize(text: string, signal?: AbortSignal): Promise<number[]>;
  detokenize(tokens: readonly number[]): Promise<string>;
}

/** A tokenizer for servers that have one, else null: OpenAI's API knows none. */
export function createTokenizer(kind: UpstreamKind, client: Pick<UpstreamClient, 'ask'>, model: string): UpstreamTokenizer | null {
  if (kind === 'other') return null;
  const isVllm = kind === 'vllm';
  return {
    async tokenize(text, signal) {
      const body = isVllm
        ? { model, prompt: text, add_special_tokens: false }
        : { model, content: text, add_special: false, parse_special: true };
      return Tokens.parse(await client.ask({ path: '/tokenize', at: 'root', body }, signal === undefined ? {} : { signal })).tokens;
    },
    async detokenize(tokens) {
      const answer = await client.ask({ path: '/detokenize', at: 'root', body: { model, tokens } });
      return isVllm ? Prompt.parse(answer).prompt : Content.parse(answer).content;
    },
  };
}
