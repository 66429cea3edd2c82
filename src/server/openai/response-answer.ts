import { z } from 'zod';
import type { Clock } from '../../core/clock.ts';
import { createRequestId } from '../../core/ids.ts';
import type { EngineEvent, GenerateRequest, Usage } from '../../engine/engine.ts';
import type { ThoughtClosed } from '../../engine/thought-splitter.ts';
import type { ErrorBody } from '../error-reply.ts';
import { fingerprintOf, type ServedModel } from '../served-model.ts';
import { sseBlock } from '../sse.ts';
import type { StreamEncoder } from '../stream-reply.ts';
import { encodeDetails } from './chat-answer.ts';
import type { ResponseRequest } from './response-request.ts';

/** Body of the reply to POST /v1/responses. */
export const ResponseObject = z
  .looseObject({
    id: z.string(),
    object: z.literal('response'),
    created_at: z.int(),
    status: z.enum(['in_progress', 'completed', 'incomplete']),
    model: z.string(),
    store: z.literal(false).describe('nothing is kept'),
    output: z.array(
      z.looseObject({
        id: z.string(),
        type: z.enum(['reasoning', 'message']),
        content: z.array(z.looseObject({ type: z.enum(['reasoning_text', 'output_text']), text: z.string() })),
      }),
    ),
    usage: z
      .looseObject({
        input_tokens: z.int(),
        output_tokens: z.int(),
        total_tokens: z.int(),
        output_tokens_details: z.looseObject({ reasoning_tokens: z.int() }),
      })
      .nullable(),
  })
  .meta({ id: 'Response' });

/** What an answer is made from. */
export interface ResponsePlan {
  readonly clock: Clock;
  readonly head: { readonly id: string; readonly createdSeconds: number; readonly model: ServedModel };
  readonly body: ResponseRequest;
  readonly request: GenerateRequest;
}

interface Item {
  readonly id: string;
  readonly type: 'reasoning' | 'message';
  text: string;
}

/** Writes one answer as OpenAI's Responses does: a reasoning item, a message item, and an event for each step of them. */
export class ResponseEncoder implements StreamEncoder {
  readonly #plan: ResponsePlan;
  readonly #items: Item[] = [];
  #sequence = 0;
  #closed: ThoughtClosed = 'none';
  #finish: Extract<EngineEvent, { type: 'finish' }> | undefined;
  #completedSeconds: number | null = null;

  constructor(plan: ResponsePlan) {
    this.#plan = plan;
  }

  open(): string {
    return (
      this.#event('response.created', { response: this.#response() }) + this.#event('response.in_progress', { response: this.#response() })
    );
  }

  take(_index: number, event: EngineEvent): string {
    switch (event.type) {
      case 'delta':
        return this.#add('reasoning', event.thought) + this.#add('message', event.answer);
      case 'thought-closed':
        this.#closed = event.how;
        return '';
      case 'finish':
        this.#finish = event;
        this.#completedSeconds = Math.floor(this.#plan.clock.now().getTime() / 1000);
        return '';
    }
  }

  /** An answer has a message, be it empty, unless it was cut off in the thought. */
  close(): string {
    const isCut = this.#finish?.reason === 'length';
    const last = this.#items.at(-1)?.type;
    const message = last === 'message' || (isCut && last === 'reasoning') ? '' : this.#begin('message');
    const end = this.#end();
    const type = isCut ? 'response.incomplete' : 'response.completed';
    return message + end + this.#event(type, { response: this.#response() });
  }

  fail({ error }: ErrorBody): string {
    return this.#event('error', { code: error.code, message: error.message, param: error.param });
  }

  /** The whole answer, once all events were taken. */
  whole() {
    this.close();
    return this.#response();
  }

  #add(type: Item['type'], delta: string): string {
    if (delta === '') return '';
    const begin = this.#items.at(-1)?.type === type ? '' : this.#begin(type);
    const item = this.#items.at(-1);
    if (item === undefined) return begin;
    item.text += delta;
    const name = type === 'reasoning' ? 'response.reasoning_text.delta' : 'response.output_text.delta';
    return begin + this.#event(name, { ...this.#place(item), delta, ...(type === 'message' && { logprobs: [] }) });
  }

  #begin(type: Item['type']): string {
    const end = this.#end();
    const item: Item = { id: createRequestId(type === 'reasoning' ? 'rs' : 'msg'), type, text: '' };
    this.#items.push(item);
    return (
      end +
      this.#event('response.output_item.added', {
        output_index: this.#items.length - 1,
        item: { ...encodeItem(item, 'in_progress'), content: [] },
      }) +
      this.#event('response.content_part.added', { ...this.#place(item), part: encodePart(item) })
    );
  }

  /** Ends the item that is under way. */
  #end(): string {
    const item = this.#items.at(-1);
    if (item === undefined) return '';
    const name = item.type === 'reasoning' ? 'response.reasoning_text.done' : 'response.output_text.done';
    return (
      this.#event(name, { ...this.#place(item), text: item.text, ...(item.type === 'message' && { logprobs: [] }) }) +
      this.#event('response.content_part.done', { ...this.#place(item), part: encodePart(item) }) +
      this.#event('response.output_item.done', { output_index: this.#items.indexOf(item), item: encodeItem(item, this.#statusOf(item)) })
    );
  }

  #place(item: Item) {
    return { item_id: item.id, output_index: this.#items.indexOf(item), content_index: 0 };
  }

  #event(type: string, fields: Readonly<Record<string, unknown>>): string {
    const text = sseBlock(JSON.stringify({ type, sequence_number: this.#sequence, ...fields }), type);
    this.#sequence += 1;
    return text;
  }

  /** Only the last item can be cut short. */
  #statusOf(item: Item): 'completed' | 'incomplete' {
    return this.#finish?.reason === 'length' && item === this.#items.at(-1) ? 'incomplete' : 'completed';
  }

  #response() {
    const { head, body, request } = this.#plan;
    const isCut = this.#finish?.reason === 'length';
    return {
      id: head.id,
      object: 'response',
      created_at: head.createdSeconds,
      status: this.#finish === undefined ? 'in_progress' : isCut ? 'incomplete' : 'completed',
      completed_at: this.#completedSeconds,
      background: false,
      error: null,
      frequency_penalty: request.sampling.frequencyPenalty,
      incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
      instructions: body.instructions ?? null,
      max_output_tokens: request.maxTokens,
      max_tool_calls: null,
      metadata: body.metadata ?? {},
      model: head.model.name,
      output: this.#finish === undefined ? [] : this.#items.map((item) => encodeItem(item, this.#statusOf(item))),
      parallel_tool_calls: true,
      presence_penalty: request.sampling.presencePenalty,
      previous_response_id: null,
      prompt_cache_key: body['prompt_cache_key'] ?? null,
      reasoning: { effort: body.reasoning?.effort ?? null, summary: body.reasoning?.summary ?? null },
      safety_identifier: body['safety_identifier'] ?? null,
      service_tier: 'default',
      store: false,
      temperature: request.sampling.temperature,
      text: { format: body.text?.format ?? { type: 'text' } },
      tool_choice: 'auto',
      tools: [],
      top_logprobs: 0,
      top_p: request.sampling.topP,
      truncation: 'disabled',
      usage: this.#finish === undefined ? null : encodeUsage(this.#finish.usage),
      osler: {
        fingerprint: fingerprintOf(head.model),
        ...encodeDetails({ request, closed: this.#closed, finish: this.#finish }),
      },
    };
  }
}

function encodeItem(item: Item, status: 'in_progress' | 'completed' | 'incomplete') {
  const content = [encodePart(item)];
  return item.type === 'reasoning'
    ? { id: item.id, type: item.type, status, summary: [], content }
    : { id: item.id, type: item.type, status, role: 'assistant', content };
}

function encodePart({ type, text }: Item) {
  return type === 'reasoning' ? { type: 'reasoning_text', text } : { type: 'output_text', text, annotations: [], logprobs: [] };
}

function encodeUsage(usage: Usage) {
  return {
    input_tokens: usage.promptTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens },
    output_tokens: usage.completionTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.promptTokens + usage.completionTokens,
  };
}
