import { z } from 'zod';
import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import type { GenerateRequest } from '../../engine/engine.ts';
import type { ServedModel } from '../served-model.ts';
import { grammarOfSchema } from './answer-form.ts';
import type { ChatMessage, ChatRequest } from './chat-request.ts';
import { foreignParameters } from './foreign-parameters.ts';
import { planChat } from './read-chat-request.ts';
import { type RefusedParameter, refuseParameters } from './refused-parameters.ts';
import { samplingFields, TokenLimit } from './sampling-request.ts';

const Part = z.looseObject({ type: z.string().describe('`input_text` or `output_text`'), text: z.string().optional() });

/** As many as a chat has messages, with as many parts each. */
const maxItems = 1024;
const maxParts = 128;

const Item = z.looseObject({
  type: z.string().optional().describe('`message`, or `reasoning` of a past answer, which is not read'),
  role: z.enum(['user', 'assistant', 'system', 'developer']).optional(),
  content: z.union([z.string(), z.array(Part).max(maxParts), z.null()], `is no text, nor a list of up to ${maxParts} parts`).optional(),
});

const Format = z.looseObject({
  type: z.enum(['text', 'json_object', 'json_schema']),
  name: z.string().optional(),
  schema: z.record(z.string(), z.unknown()).optional(),
});

/** What of the sampling this interface takes: one answer, and `stream` without options. */
const { n: _n, stream_options: _streamOptions, ...drawingFields } = samplingFields;

/** Body of POST /v1/responses: what of OpenAI's Responses needs no memory and no tools. */
export const ResponseRequest = z.looseObject({
  model: z.string().min(1),
  input: z
    .union([z.string(), z.array(Item).min(1).max(maxItems)], `is no text, nor a list of up to ${maxItems} messages`)
    .describe('a question, or the messages so far'),
  instructions: z.string().nullish().describe('the system message'),
  max_output_tokens: TokenLimit.describe('thought included'),
  ...drawingFields,
  reasoning: z
    .looseObject({
      effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh']).nullish().describe('as `reasoning_effort` of chat'),
      summary: z.string().nullish().describe('`auto` only: the thought comes whole, as text of the reasoning item'),
    })
    .nullish(),
  text: z.looseObject({ format: Format.nullish() }).nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish().describe('comes back in the answer'),
  thinking_budget_tokens: z.int().min(0).nullish(),
  enable_thinking: z.boolean().nullish(),
});
export type ResponseRequest = z.infer<typeof ResponseRequest>;

const refused: readonly RefusedParameter[] = [
  { name: 'previous_response_id', why: 'nothing is kept; send the messages so far as "input"' },
  { name: 'conversation', why: 'nothing is kept; send the messages so far as "input"' },
  { name: 'background', why: 'nothing is kept; the answer comes at once or as a stream' },
  { name: 'store', why: 'nothing is kept' },
  { name: 'prompt', why: 'no prompts are kept; send "input"' },
  { name: 'tools', why: 'functions are offered by POST /v1/chat/completions, and no built-in tools anywhere' },
  { name: 'tool_choice', why: 'there are no tools here', harmless: ['none', 'auto'] },
  { name: 'max_tool_calls', why: 'there are no tools here' },
  { name: 'top_logprobs', why: 'use POST /v1/chat/completions', harmless: [0] },
  { name: 'include', why: 'there is nothing more to include' },
  { name: 'truncation', why: 'a prompt that is too long is refused', harmless: ['disabled'] },
  { name: 'service_tier', why: 'there is one tier', harmless: ['auto', 'default'] },
  { name: 'n', why: 'send a request for each answer', harmless: [1] },
  { name: 'messages', why: 'send them as "input"' },
  { name: 'response_format', why: 'use "text.format"' },
  { name: 'reasoning_effort', why: 'use "reasoning.effort"' },
  { name: 'max_tokens', why: 'use "max_output_tokens"' },
  { name: 'max_completion_tokens', why: 'use "max_output_tokens"' },
  { name: 'n_predict', why: 'use "max_output_tokens"', harmless: [-1] },
  { name: 'chat_template_kwargs', why: 'use POST /v1/chat/completions' },
  { name: 'preserve_reasoning', why: 'past thoughts are not read' },
  { name: 'logprobs', why: 'use POST /v1/chat/completions' },
  { name: 'include_reasoning', why: 'the thought is an item of its own, and may be ignored', harmful: [false] },
  ...foreignParameters('text.format'),
];

const refusedOfReasoning: readonly RefusedParameter[] = [
  { name: 'summary', why: 'the thought is told whole', harmless: ['auto'] },
  { name: 'generate_summary', why: 'the thought is told whole', harmless: ['auto'] },
];

/** A response's request as the engine wants it. Throws OSLER_ERR_REQUEST_UNSUPPORTED naming the field as this interface has it. */
export function readResponseRequest(body: ResponseRequest, model: ServedModel): GenerateRequest {
  refuseParameters(body, refused);
  refuseParameters(body.reasoning ?? {}, refusedOfReasoning, 'reasoning.');
  refuseParameters(
    body.text ?? {},
    [{ name: 'verbosity', why: 'say in "instructions" how long the answer shall be', harmless: ['medium'] }],
    'text.',
  );
  const chat: ChatRequest = {
    model: body.model,
    messages: [
      ...(typeof body.instructions === 'string' ? [{ role: 'system' as const, content: body.instructions }] : []),
      ...messagesOf(body.input),
    ],
    max_completion_tokens: body.max_output_tokens,
    temperature: body.temperature,
    top_p: body.top_p,
    top_k: body.top_k,
    min_p: body.min_p,
    frequency_penalty: body.frequency_penalty,
    presence_penalty: body.presence_penalty,
    repeat_penalty: body.repeat_penalty,
    repetition_penalty: body.repetition_penalty,
    seed: body.seed,
    stop: body.stop,
    logit_bias: body.logit_bias,
    reasoning_effort: body.reasoning?.effort,
    thinking_budget_tokens: body.thinking_budget_tokens,
    enable_thinking: body.enable_thinking,
    response_format: responseFormatOf(body.text?.format),
  };
  return planChat(chat, model, { reasoningEffort: 'reasoning.effort' }).request;
}

/** The same as chat has it. Refuses a schema here, where its name is known. */
function responseFormatOf(format: z.infer<typeof Format> | null | undefined): ChatRequest['response_format'] {
  if (format === null || format === undefined || format.type === 'text') return undefined;
  if (format.type === 'json_object' && Object.keys(format.schema ?? {}).length === 0) return { type: 'json_object' };
  grammarOfSchema(format.schema, 'text.format.schema');
  return { type: 'json_schema', json_schema: { ...(format.schema !== undefined && { schema: format.schema }) } };
}

function messagesOf(input: ResponseRequest['input']): ChatMessage[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  const messages = input.flatMap((item, index) => {
    if (item.type === 'reasoning') return [];
    if ((item.type ?? 'message') !== 'message' || item.role === undefined)
      throw new OSLER_ERR_REQUEST_UNSUPPORTED(`input.${index}`, 'only messages with a role can be read');
    return [{ role: item.role, content: textOf(item.content, `input.${index}.content`) }];
  });
  if (messages.length === 0) throw new OSLER_ERR_REQUEST_UNSUPPORTED('input', 'it holds no message');
  return messages;
}

function textOf(content: z.infer<typeof Item>['content'], name: string): string {
  if (content === undefined || content === null || typeof content === 'string') return content ?? '';
  const texts = content.map((part, index) => {
    if (['input_text', 'output_text', 'text'].includes(part.type) && part.text !== undefined) return part.text;
    throw new OSLER_ERR_REQUEST_UNSUPPORTED(
      `${name}.${index}`,
      `the models read text, and this part is of the type "${part.type.slice(0, 40)}"`,
    );
  });
  return texts.join('');
}
