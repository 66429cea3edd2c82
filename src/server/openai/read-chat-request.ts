import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import { prepareHistory, type TemplateMessage } from '../../engine/chat-history.ts';
import type { RenderedPrompt } from '../../engine/chat-template.ts';
import type { AnswerGrammar, GenerateRequest } from '../../engine/engine.ts';
import { writeToolsAsText } from '../../engine/tool-prompt.ts';
import type { ServedModel } from '../served-model.ts';
import { readResponseFormat } from './answer-form.ts';
import { type ChatRequest, textOfContent } from './chat-request.ts';
import { readTools, type ToolPlan } from './chat-tools.ts';
import { foreignParameters } from './foreign-parameters.ts';
import { type RefusedParameter, refuseParameters } from './refused-parameters.ts';
import { readSampling } from './sampling-request.ts';

/** Thinking budgets, in tokens, for OpenAI's words; null is no limit. */
const budgetOfEffort: Record<NonNullable<ChatRequest['reasoning_effort']>, number | null> = {
  none: 0,
  minimal: 128,
  low: 512,
  medium: 2048,
  high: 8192,
  xhigh: null,
};

/** What chat's bodies may ask for and this server does not do. `user`, `metadata` and the cache keys ask for nothing. */
const refused: readonly RefusedParameter[] = [
  { name: 'functions', why: 'it is the former name of tools; send them as "tools"' },
  { name: 'function_call', why: 'it is the former name of tool_choice', harmless: ['none', 'auto'] },
  { name: 'audio', why: 'the models write text only' },
  { name: 'prediction', why: 'this server predicts nothing ahead' },
  { name: 'web_search_options', why: 'the server looks nothing up' },
  { name: 'store', why: 'nothing is kept' },
  { name: 'service_tier', why: 'there is one tier', harmless: ['auto', 'default'] },
  { name: 'verbosity', why: 'say in the prompt how long the answer shall be', harmless: ['medium'] },
  { name: 'best_of', why: 'use "n" and choose', harmless: [1] },
  { name: 'n_predict', why: 'use "max_completion_tokens"', harmless: [-1] },
  { name: 'include_reasoning', why: 'the thought comes apart from the answer, and may be ignored', harmful: [false] },
  ...foreignParameters('response_format'),
];

/** Of the prompt, alike for an answer and for `/apply-template`. */
const refusedOfPrompt: readonly RefusedParameter[] = [
  { name: 'continue_final_message', why: 'the template ends each turn' },
  { name: 'add_generation_prompt', why: 'a prompt ends with the beginning of the model’s turn', harmful: [false] },
];

/** Variables of the template that are ours to set. */
const refusedOfTemplate: readonly RefusedParameter[] = [
  { name: 'messages', why: 'send them as "messages"' },
  { name: 'tools', why: 'send them as "tools"' },
  { name: 'bos_token', why: 'it is the model’s' },
  { name: 'eos_token', why: 'it is the model’s' },
  ...refusedOfPrompt,
];

/** Names of fields, for bodies in which they stand elsewhere. */
export interface FieldNames {
  readonly reasoningEffort: string;
}

const ownNames: FieldNames = { reasoningEffort: 'reasoning_effort' };

/** Everything that the routes of chat need to know of a request. */
export interface ChatPlan {
  readonly request: GenerateRequest;
  readonly tools: ToolPlan;
}

/** A chat request as the engine wants it: rendered, with every default filled in. Throws OSLER_ERR_REQUEST_UNSUPPORTED and OSLER_ERR_MODEL_TEMPLATE. */
export function planChat(body: ChatRequest, model: ServedModel, names = ownNames): ChatPlan {
  refuseParameters(body, refused);
  refuseModalities(body['modalities']);
  const { prompt, messages, tools, grammar } = renderChat(body, model, names);
  const effortBudget = body.reasoning_effort === null || body.reasoning_effort === undefined ? null : budgetOfEffort[body.reasoning_effort];
  if (tools.tools.length > 0 && body.reasoning_format === 'none')
    throw new OSLER_ERR_REQUEST_UNSUPPORTED('reasoning_format', '"none" leaves no room for tool calls');
  const topLogprobs = readTopLogprobs(body);
  const request: GenerateRequest = {
    prompt: prompt.text,
    isThoughtPreopened: prompt.isThoughtPreopened,
    isThinkingEnabled: prompt.isThinkingEnabled,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    thinkingBudgetTokens: body.thinking_budget_tokens ?? effortBudget,
    ...readSampling(body),
    stopScope: body.stop_scope ?? 'content',
    ...(topLogprobs !== undefined && { topLogprobs }),
    ...(grammar !== undefined && { grammar }),
    chat: {
      // Whoever takes messages in place of the prompt has no field for tools.
      messages: writeToolsAsText(messages, tools.tools),
      // A budget in tokens takes precedence, here as for an engine that knows budgets.
      ...(typeof body.reasoning_effort === 'string' &&
        typeof body.thinking_budget_tokens !== 'number' && { reasoningEffort: body.reasoning_effort }),
      templateVariables: {
        ...body.chat_template_kwargs,
        ...(typeof body.enable_thinking === 'boolean' && { enable_thinking: body.enable_thinking }),
      },
    },
  };
  return { request, tools };
}

/** What of a chat body makes the prompt. */
type PromptRequest = Readonly<Record<string, unknown>> &
  Pick<
    ChatRequest,
    | 'messages'
    | 'tools'
    | 'tool_choice'
    | 'parallel_tool_calls'
    | 'response_format'
    | 'reasoning_effort'
    | 'enable_thinking'
    | 'preserve_reasoning'
    | 'chat_template_kwargs'
  >;

export interface RenderedChat {
  readonly prompt: RenderedPrompt;
  readonly messages: readonly TemplateMessage[];
  readonly tools: ToolPlan;
  /** The form that the answer must have. */
  readonly grammar: AnswerGrammar | undefined;
}

/** Renders a chat to the model's prompt. */
export function renderChat(body: PromptRequest, model: ServedModel, names = ownNames): RenderedChat {
  refuseParameters(body, refusedOfPrompt);
  refuseParameters(body.chat_template_kwargs ?? {}, refusedOfTemplate, 'chat_template_kwargs.');
  const tools = readTools(body);
  const form = readResponseFormat(body.response_format);
  if (form !== undefined && tools.tools.length > 0)
    throw new OSLER_ERR_REQUEST_UNSUPPORTED('response_format', 'it cannot be combined with tools; set "tool_choice" to "none"');
  const grammar = tools.grammar ?? form;
  const { enable_thinking: templateThinking, ...variables } = body.chat_template_kwargs ?? {};
  const wanted = [body.enable_thinking, templateThinking, body.reasoning_effort === 'none' ? false : undefined].find(
    (value): value is boolean => typeof value === 'boolean',
  );
  const messages = prepareHistory(
    body.messages.map((message, index) => ({ ...message, content: textOfContent(message.content, `messages.${index}.content`) })),
    { shouldPreserveReasoning: body.preserve_reasoning ?? false },
  );
  const prompt = model.template.render(messages, {
    isThinkingEnabled: wanted,
    tools: tools.tools,
    variables,
    mustDecideThought: grammar !== undefined,
  });
  if (wanted === false && prompt.isThinkingEnabled) {
    throw new OSLER_ERR_REQUEST_UNSUPPORTED(
      body.enable_thinking === false
        ? 'enable_thinking'
        : templateThinking === false
          ? 'chat_template_kwargs.enable_thinking'
          : names.reasoningEffort,
      `the chat template of "${model.name}" cannot switch the thought off; use thinking_budget_tokens: 0 instead`,
    );
  }
  return { prompt, messages, tools, grammar };
}

function readTopLogprobs(body: ChatRequest): number | undefined {
  if (body.logprobs === true) return body.top_logprobs ?? 0;
  if ((body.top_logprobs ?? 0) > 0) throw new OSLER_ERR_REQUEST_UNSUPPORTED('top_logprobs', 'it needs "logprobs": true');
  return undefined;
}

function refuseModalities(value: unknown): void {
  if (Array.isArray(value) ? value.some((name) => name !== 'text') : value !== undefined && value !== null)
    throw new OSLER_ERR_REQUEST_UNSUPPORTED('modalities', 'the models write text only');
}
