import { z } from 'zod';
import type { Usage } from '../../engine/engine.ts';
import { fingerprintOf, type ServedModel } from '../served-model.ts';
import type { ChatChoice, ChoicePart } from './chat-choice.ts';
import { encodeLogprobs } from './logprobs.ts';

/** What is the same for all choices and chunks of one answer. */
export interface AnswerHead {
  readonly id: string;
  readonly createdSeconds: number;
  readonly model: ServedModel;
  /** Tells the thought as `reasoning`, too. */
  readonly hasReasoningAlias: boolean;
}

const Count = z.int().min(0);

/** Token counts of an answer; the thought is part of the completion. */
export const ChatUsage = z
  .looseObject({
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: z.looseObject({ cached_tokens: Count.describe('found in the cache') }),
    completion_tokens_details: z.looseObject({ reasoning_tokens: Count.describe('up to and including the closing tag') }),
  })
  .meta({ id: 'Usage' });

const TopLogprob = z.looseObject({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()).nullable() });

/** Body of the reply to POST /v1/chat/completions. */
export const ChatCompletion = z
  .looseObject({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.int().describe('seconds since 1970'),
    model: z.string(),
    system_fingerprint: z.string().describe('names the exact weights, adapter and template'),
    choices: z.array(
      z.looseObject({
        index: Count,
        message: z.looseObject({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.null(),
          annotations: z.array(z.unknown()),
          reasoning_content: z.string().optional().describe('the thought; left out where there was none'),
          tool_calls: z
            .array(
              z.looseObject({
                id: z.string(),
                type: z.literal('function'),
                function: z.looseObject({ name: z.string(), arguments: z.string() }),
              }),
            )
            .optional(),
        }),
        logprobs: z
          .looseObject({ content: z.array(TopLogprob.extend({ top_logprobs: z.array(TopLogprob) })), refusal: z.null() })
          .nullable(),
        finish_reason: z.enum(['stop', 'length', 'tool_calls']).nullable(),
      }),
    ),
    usage: ChatUsage.optional(),
    osler: z.looseObject({}).describe('seed, how the thought closed, and seconds of queue, prompt and generation'),
  })
  .meta({ id: 'ChatCompletion' });

/** The whole answer as OpenAI's `chat.completion`. */
export function encodeCompletion(head: AnswerHead, choices: readonly { choice: ChatChoice; parts: readonly ChoicePart[] }[]) {
  return {
    ...encodeHead(head, 'chat.completion'),
    choices: choices.map(({ choice, parts }, index) => ({
      index,
      message: encodeMessage(parts, head.hasReasoningAlias),
      logprobs: choice.request.topLogprobs === undefined ? null : encodeLogprobs(logprobsOf(choice, parts)),
      finish_reason: choice.finishReason,
    })),
    ...encodeEnd(choices.map(({ choice }) => choice)),
  };
}

/** Fields that begin every object of an answer. */
export function encodeHead(head: Pick<AnswerHead, 'id' | 'createdSeconds' | 'model'>, object: string) {
  return { id: head.id, object, created: head.createdSeconds, model: head.model.name, system_fingerprint: fingerprintOf(head.model) };
}

export function encodeUsage(usage: Usage) {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    prompt_tokens_details: { cached_tokens: usage.cachedTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  };
}

/** The usage of several choices for one prompt, which counts once. */
export function sumUsage(usages: readonly Usage[]): Usage {
  const sum = (key: 'completionTokens' | 'reasoningTokens'): number => usages.reduce((total, usage) => total + usage[key], 0);
  return {
    promptTokens: usages[0]?.promptTokens ?? 0,
    cachedTokens: usages[0]?.cachedTokens ?? 0,
    completionTokens: sum('completionTokens'),
    reasoningTokens: sum('reasoningTokens'),
  };
}

/** What OpenAI's fields do not tell: seed, how the thought closed, and the times. */
export function encodeDetails(choice: Pick<ChatChoice, 'request' | 'closed' | 'finish'>) {
  const { request, closed, finish } = choice;
  return {
    seed: request.seed,
    thought_closed: closed,
    ...(finish && {
      timings: {
        queue_s: finish.timings.queueSeconds,
        prompt_s: finish.timings.promptSeconds,
        generation_s: finish.timings.generationSeconds,
      },
    }),
  };
}

function encodeEnd(choices: readonly ChatChoice[]) {
  const [first] = choices;
  const usages = choices.flatMap(({ finish }) => (finish === undefined ? [] : [finish.usage]));
  return {
    ...(usages.length > 0 && { usage: encodeUsage(sumUsage(usages)) }),
    ...(first && { osler: { ...encodeDetails(first), ...(choices.length > 1 && { choices: choices.map(encodeDetails) }) } }),
  };
}

function encodeMessage(parts: readonly ChoicePart[], hasReasoningAlias: boolean) {
  const textOf = (type: 'reasoning' | 'content'): string => parts.map((part) => (part.type === type ? part.text : '')).join('');
  const calls = parts.flatMap((part) => (part.type === 'call' ? [encodeCall(part)] : []));
  const [thought, content] = [textOf('reasoning'), textOf('content')];
  return {
    role: 'assistant',
    content: content === '' && calls.length > 0 ? null : content,
    refusal: null,
    annotations: [],
    ...(thought !== '' && { reasoning_content: thought }),
    ...(thought !== '' && hasReasoningAlias && { reasoning: thought }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

/** A call as a message holds it; a stream adds its place. */
export function encodeCall(part: Extract<ChoicePart, { type: 'call' }>) {
  return { id: part.id, type: 'function', function: { name: part.name, arguments: part.arguments } };
}

function logprobsOf(choice: ChatChoice, parts: readonly ChoicePart[]) {
  return [...parts.flatMap((part) => (part.type === 'content' ? (part.logprobs ?? []) : [])), ...choice.untoldLogprobs];
}
