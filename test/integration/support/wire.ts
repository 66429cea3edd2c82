import { z } from 'zod';

const Usage = z.strictObject({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.strictObject({ cached_tokens: z.int() }),
  completion_tokens_details: z.strictObject({ reasoning_tokens: z.int() }),
});

const Details = z.strictObject({
  seed: z.int(),
  thought_closed: z.enum(['model', 'budget', 'client', 'never', 'none']),
  timings: z.strictObject({ queue_s: z.number(), prompt_s: z.number(), generation_s: z.number() }),
});

/** A whole answer as it must look on the wire; strict, so that nothing unknown slips in. */
export const Completion = z.strictObject({
  id: z.string().regex(/^chatcmpl-/),
  object: z.literal('chat.completion'),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string().regex(/^fp_[0-9a-f]{16}$/),
  choices: z.tuple([
    z.strictObject({
      index: z.literal(0),
      message: z.strictObject({ role: z.literal('assistant'), content: z.string(), reasoning_content: z.string().min(1).optional() }),
      logprobs: z.null(),
      finish_reason: z.enum(['stop', 'length']),
    }),
  ]),
  usage: Usage,
  osler: Details,
});

/** One chunk of a streamed answer; a delta carries one thing, and never an empty text. */
export const Chunk = z.strictObject({
  id: z.string().regex(/^chatcmpl-/),
  object: z.literal('chat.completion.chunk'),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string(),
  choices: z.array(
    z.strictObject({
      index: z.literal(0),
      delta: z.union([
        z.strictObject({ role: z.literal('assistant') }),
        z.strictObject({ content: z.string().min(1) }),
        z.strictObject({ reasoning_content: z.string().min(1) }),
        z.strictObject({}),
      ]),
      logprobs: z.null(),
      finish_reason: z.enum(['stop', 'length']).nullable(),
    }),
  ),
  usage: Usage.nullable().optional(),
  osler: Details.optional(),
});
export type Chunk = z.infer<typeof Chunk>;

/** The body of every error. */
export const ErrorReply = z.strictObject({
  error: z.strictObject({ message: z.string().min(1), type: z.string(), param: z.string().nullable(), code: z.string() }),
});

/** One block of a server-sent stream: an event, or a comment. */
export interface SseBlock {
  readonly event: string | null;
  readonly data: string | null;
  readonly comment: string | null;
}

/** Splits the text of a stream into its blocks. Throws where one is not whole. */
export function parseSse(text: string): SseBlock[] {
  if (text !== '' && !text.endsWith('\n\n')) throw new Error(`the stream was cut off: ${text.slice(-80)}`);
  return text
    .split('\n\n')
    .slice(0, -1)
    .map((block) => {
      const lines = block.split('\n');
      const value = (field: string): string | null => lines.find((line) => line.startsWith(field))?.slice(field.length) ?? null;
      return { event: value('event: '), data: value('data: '), comment: value(': ') };
    });
}

/** The chunks of a whole stream; checks each, and that `[DONE]` is the end. */
export function chunksOf(text: string): Chunk[] {
  const blocks = parseSse(text);
  if (blocks.at(-1)?.data !== '[DONE]') throw new Error('the stream does not end with [DONE]');
  return blocks.slice(0, -1).map((block) => Chunk.parse(JSON.parse(block.data ?? 'null')));
}

/** The text of one channel over all chunks. */
export function channelOf(chunks: readonly Chunk[], channel: 'content' | 'reasoning_content'): string {
  const parts = chunks.map((chunk) => {
    const delta: Record<string, string> = { ...chunk.choices[0]?.delta };
    return delta[channel] ?? '';
  });
  return parts.join('');
}
