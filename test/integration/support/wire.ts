import { z } from 'zod';
import { CheckFinding } from '../../../src/core/schema/training-check.ts';

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

const ToolCall = z.strictObject({
  id: z.string().regex(/^call-[0-9a-f]{24}$/),
  type: z.literal('function'),
  function: z.strictObject({ name: z.string(), arguments: z.string() }),
});

const Token = z.strictObject({ token: z.string(), logprob: z.number().max(0), bytes: z.array(z.int().min(0).max(255)).nullable() });
const Logprobs = z.strictObject({ content: z.array(Token.extend({ top_logprobs: z.array(Token) })), refusal: z.null() });
const FinishReason = z.enum(['stop', 'length', 'tool_calls']);

const Choice = z.strictObject({
  index: z.int(),
  message: z.strictObject({
    role: z.literal('assistant'),
    content: z.string().nullable(),
    refusal: z.null(),
    annotations: z.tuple([]),
    reasoning_content: z.string().min(1).optional(),
    reasoning: z.string().min(1).optional(),
    tool_calls: z.array(ToolCall).min(1).optional(),
  }),
  logprobs: Logprobs.nullable(),
  finish_reason: FinishReason,
});

/** A whole answer as it must look on the wire, with one choice; strict, so that nothing unknown slips in. */
export const Completion = z.strictObject({
  id: z.string().regex(/^chatcmpl-/),
  object: z.literal('chat.completion'),
  created: z.int(),
  model: z.string(),
  system_fingerprint: z.string().regex(/^fp_[0-9a-f]{16}$/),
  choices: z.tuple([Choice.extend({ index: z.literal(0) })]),
  usage: Usage,
  osler: Details,
});

/** The same with several choices. */
export const CompletionOfMany = Completion.extend({
  choices: z.array(Choice).min(2),
  osler: Details.extend({ choices: z.array(Details).min(2) }),
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
      index: z.int(),
      delta: z.union([
        z.strictObject({ role: z.literal('assistant') }),
        z.strictObject({ content: z.string().min(1) }),
        z.strictObject({ reasoning_content: z.string().min(1), reasoning: z.string().min(1).optional() }),
        z.strictObject({ tool_calls: z.tuple([ToolCall.extend({ index: z.int() })]) }),
        z.strictObject({}),
      ]),
      logprobs: Logprobs.nullable(),
      finish_reason: FinishReason.nullable(),
    }),
  ),
  usage: Usage.nullable().optional(),
  osler: Details.optional(),
});
export type Chunk = z.infer<typeof Chunk>;

/** The body of every error. */
export const ErrorReply = z.strictObject({
  error: z.strictObject({
    message: z.string().min(1),
    type: z.string(),
    param: z.string().nullable(),
    code: z.string(),
    n_prompt_tokens: z.int().optional(),
    n_ctx: z.int().optional(),
    findings: z.array(CheckFinding).optional(),
  }),
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

/** The text of one channel of a choice over all chunks. */
export function channelOf(chunks: readonly Chunk[], channel: 'content' | 'reasoning_content', index = 0): string {
  const parts = chunks.flatMap((chunk) =>
    chunk.choices
      .filter((choice) => choice.index === index)
      .map(({ delta }) => (channel in delta ? String(Object.entries(delta).find(([name]) => name === channel)?.[1]) : '')),
  );
  return parts.join('');
}
