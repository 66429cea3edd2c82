import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import { drawSeed } from '../../core/rng.ts';
import { prepareHistory } from '../../engine/chat-history.ts';
import { defaultSampling, type GenerateRequest } from '../../engine/engine.ts';
import type { ServedModel } from '../served-model.ts';
import { type ChatRequest, textOfContent } from './chat-request.ts';

/** Thinking budgets, in tokens, for OpenAI's words; null is no limit. */
const budgetOfEffort: Record<NonNullable<ChatRequest['reasoning_effort']>, number | null> = {
  none: 0,
  minimal: 128,
  low: 512,
  medium: 2048,
  high: 8192,
  xhigh: null,
};

/** A chat request as the engine wants it: rendered, with every default filled in. */
export function readChatRequest(body: ChatRequest, model: ServedModel): GenerateRequest {
  refuseUnsupported(body);
  const isThinkingWanted = body.enable_thinking ?? (body.reasoning_effort === 'none' ? false : undefined);
  const messages = prepareHistory(
    body.messages.map((message) => ({
      role: message.role,
      content: textOfContent(message.content),
      reasoning_content: message.reasoning_content,
      reasoning: message.reasoning,
    })),
    { shouldPreserveReasoning: body.preserve_reasoning ?? false },
  );
  const prompt = model.template.render(messages, { isThinkingEnabled: isThinkingWanted ?? undefined });
  if (isThinkingWanted === false && prompt.isThinkingEnabled) {
    throw new OSLER_ERR_REQUEST_UNSUPPORTED(
      body.reasoning_effort === 'none' ? 'reasoning_effort' : 'enable_thinking',
      `the chat template of "${model.name}" cannot switch the thought off; use thinking_budget_tokens: 0 instead`,
    );
  }
  const effortBudget = body.reasoning_effort === null || body.reasoning_effort === undefined ? null : budgetOfEffort[body.reasoning_effort];
  return {
    prompt: prompt.text,
    isThoughtPreopened: prompt.isThoughtPreopened,
    isThinkingEnabled: prompt.isThinkingEnabled,
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
    thinkingBudgetTokens: body.thinking_budget_tokens ?? effortBudget,
    sampling: {
      temperature: body.temperature ?? defaultSampling.temperature,
      topP: body.top_p ?? defaultSampling.topP,
      topK: body.top_k ?? defaultSampling.topK,
      minP: body.min_p ?? defaultSampling.minP,
      repeatPenalty: body.repeat_penalty ?? defaultSampling.repeatPenalty,
      frequencyPenalty: body.frequency_penalty ?? defaultSampling.frequencyPenalty,
      presencePenalty: body.presence_penalty ?? defaultSampling.presencePenalty,
    },
    seed: body.seed ?? drawSeed(),
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    stopScope: body.stop_scope ?? 'content',
  };
}

function refuseUnsupported(body: ChatRequest): void {
  const refuse = (name: string, isAsked: boolean, why = 'this server does not offer it'): void => {
    if (isAsked) throw new OSLER_ERR_REQUEST_UNSUPPORTED(name, why);
  };
  refuse('n', (body.n ?? 1) > 1, 'send one request for each answer');
  refuse('logprobs', body.logprobs !== undefined && body.logprobs !== null && body.logprobs !== false);
  refuse('top_logprobs', body.top_logprobs !== undefined && body.top_logprobs !== null && body.top_logprobs !== 0);
  refuse('logit_bias', isFilled(body.logit_bias));
  refuse('response_format', isFilled(body.response_format) && !isTextFormat(body.response_format));
  refuse('tools', isFilled(body.tools));
  refuse(
    'tool_choice',
    body.tool_choice !== undefined && body.tool_choice !== null && body.tool_choice !== 'none' && body.tool_choice !== 'auto',
  );
  refuse('functions', isFilled(body.functions), 'it is the former name of tools, which this server does not offer');
}

function isFilled(value: unknown): boolean {
  return value !== undefined && value !== null && (typeof value !== 'object' || Object.keys(value).length > 0);
}

function isTextFormat(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'text';
}
