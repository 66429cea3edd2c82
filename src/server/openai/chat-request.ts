import { z } from 'zod';

const TextPart = z.looseObject({ type: z.literal('text'), text: z.string() });
const Content = z.union([z.string(), z.array(TextPart), z.null()]).optional();

const Message = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: Content,
  reasoning_content: z.string().nullish(),
  reasoning: z.string().nullish(),
});

/**
 * Body of POST /v1/chat/completions: OpenAI's fields and llama-server's additions.
 * Unknown fields are accepted, as OpenAI's clients send new ones; known ones that cannot be honoured are refused by name.
 */
export const ChatRequest = z.looseObject({
  model: z.string().min(1),
  messages: z.array(Message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(5).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  seed: z.int().min(0).max(0xffff_ffff).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(16)]).nullish(),
  stop_scope: z.enum(['content', 'all']).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  repeat_penalty: z.number().min(0).max(5).nullish(),
  reasoning_effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh']).nullish(),
  thinking_budget_tokens: z.int().min(0).nullish(),
  enable_thinking: z.boolean().nullish(),
  reasoning_format: z.enum(['auto', 'deepseek', 'none']).nullish(),
  preserve_reasoning: z.boolean().nullish(),
  n: z.int().min(1).nullish(),
  user: z.string().nullish(),
  // Fields below are refused by name where they ask for something.
  logprobs: z.unknown().optional(),
  top_logprobs: z.unknown().optional(),
  logit_bias: z.unknown().optional(),
  response_format: z.unknown().optional(),
  tools: z.unknown().optional(),
  tool_choice: z.unknown().optional(),
  functions: z.unknown().optional(),
});
export type ChatRequest = z.infer<typeof ChatRequest>;

/** Text of a message, its parts joined. */
export function textOfContent(content: z.infer<typeof Content>): string {
  if (content === undefined || content === null) return '';
  return typeof content === 'string' ? content : content.map((part) => part.text).join('');
}
