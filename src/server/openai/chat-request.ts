import { z } from 'zod';
import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import { isJsonTooDeep, maxJsonDepth } from '../../core/json-depth.ts';
import { ResponseFormat } from './answer-form.ts';
import { ToolChoice, ToolDefinition } from './chat-tools.ts';
import { samplingFields, TokenLimit } from './sampling-request.ts';

const Part = z.looseObject({ type: z.string().describe('only `text` can be read'), text: z.string().optional() });
/** Of parts and of calls in one message. Bounds on lists keep it cheap to find out how much is wrong with them. */
const maxInMessage = 128;
const Content = z
  .union([z.string(), z.array(Part).max(maxInMessage), z.null()], `is no text, nor a list of up to ${maxInMessage} parts`)
  .optional();

const PastToolCall = z.looseObject({
  id: z.string().optional(),
  type: z.literal('function').optional(),
  function: z.looseObject({
    name: z.string(),
    arguments: z.string().refine((text) => !isJsonTooDeep(text), `is nested deeper than ${maxJsonDepth} levels`),
  }),
});

export const ChatMessage = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content: Content,
  name: z.string().nullish(),
  reasoning_content: z.string().nullish().describe('of a past turn; goes to the model only with `preserve_reasoning`'),
  reasoning: z.string().nullish().describe('another name of `reasoning_content`'),
  tool_calls: z.array(PastToolCall).max(maxInMessage).nullish(),
  tool_call_id: z.string().nullish(),
});
export type ChatMessage = z.infer<typeof ChatMessage>;

/** Fields that shape the prompt; POST /apply-template takes them, too. */
export const promptFields = {
  messages: z.array(ChatMessage).min(1).max(1024),
  tools: z.array(ToolDefinition).max(128).nullish(),
  tool_choice: ToolChoice.nullish().describe('`required` and a named function hold the answer to one call'),
  parallel_tool_calls: z.boolean().nullish().describe('false: calls after the first are dropped'),
  response_format: ResponseFormat.nullish().describe('holds the answer to JSON, or to a JSON Schema; the thought is free'),
  reasoning_effort: z
    .enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh'])
    .nullish()
    .describe('a budget of 128, 512, 2048 or 8192 tokens from minimal to high, none for xhigh; `none` switches the thought off'),
  enable_thinking: z.boolean().nullish().describe('false switches the thought off where the template can'),
  preserve_reasoning: z.boolean().nullish().describe('past thoughts go to the model, too'),
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish().describe('further variables of the template'),
};

/**
 * Body of POST /v1/chat/completions: OpenAI's fields and llama-server's additions.
 * Unknown fields are accepted, as OpenAI's clients send new ones; known ones that cannot be honoured are refused by name.
 */
export const ChatRequest = z.looseObject({
  model: z.string().min(1),
  ...promptFields,
  ...samplingFields,
  max_completion_tokens: TokenLimit.describe('thought included; left out: until the context is full'),
  max_tokens: TokenLimit.describe('former name of `max_completion_tokens`'),
  thinking_budget_tokens: z.int().min(0).nullish().describe('after so many tokens the thought is closed and the answer begins'),
  stop_scope: z.enum(['content', 'all']).nullish().describe('`all`: `stop` is looked for in the thought, too'),
  reasoning_format: z
    .enum(['auto', 'deepseek', 'none'])
    .nullish()
    .describe('`none`: thought and tags stay in `content`; otherwise the thought is `reasoning_content`'),
  reasoning_alias: z.boolean().nullish().describe('true: the thought comes as `reasoning`, too, as from vLLM and Ollama'),
  logprobs: z.boolean().nullish().describe('log-probabilities of the tokens of `content`'),
  top_logprobs: z.int().min(0).max(20).nullish().describe('alternatives to tell with each token'),
});
export type ChatRequest = z.infer<typeof ChatRequest>;

/** Text of a message, its parts joined. Throws OSLER_ERR_REQUEST_UNSUPPORTED naming the part that is no text. */
export function textOfContent(content: z.infer<typeof Content>, name: string): string | null {
  if (content === undefined || content === null) return null;
  if (typeof content === 'string') return content;
  const texts = content.map((part, index) => {
    if (part.type === 'text' && part.text !== undefined) return part.text;
    throw new OSLER_ERR_REQUEST_UNSUPPORTED(
      `${name}.${index}`,
      `the models read text, and this part is of the type "${part.type.slice(0, 40)}"`,
    );
  });
  return texts.join('');
}
