import { z } from 'zod';
import type { EngineEvent, GenerateRequest, TokenLogprob, Usage } from '../../engine/engine.ts';
import type { ServedModel } from '../served-model.ts';
import { sseBlock } from '../sse.ts';
import type { StreamEncoder } from '../stream-reply.ts';
import { ChatUsage, encodeHead, encodeUsage, sumUsage } from './chat-answer.ts';
import { encodeCompletionLogprobs } from './logprobs.ts';

/** Body of the reply to POST /v1/completions. */
export const TextCompletion = z
  .looseObject({
    id: z.string(),
    object: z.literal('text_completion'),
    created: z.int(),
    model: z.string(),
    system_fingerprint: z.string(),
    choices: z.array(
      z.looseObject({
        index: z.int(),
        text: z.string(),
        logprobs: z
          .looseObject({
            tokens: z.array(z.string()),
            token_logprobs: z.array(z.number()),
            top_logprobs: z.array(z.record(z.string(), z.number())),
            text_offset: z.array(z.int()),
          })
          .nullable(),
        finish_reason: z.enum(['stop', 'length']).nullable(),
      }),
    ),
    usage: ChatUsage.optional(),
  })
  .meta({ id: 'TextCompletion' });

type Finish = Extract<EngineEvent, { type: 'finish' }>;

interface CompletionHead {
  readonly id: string;
  readonly createdSeconds: number;
  readonly model: ServedModel;
}

/** What all generations of one body have in common. */
export interface CompletionPlan {
  readonly head: CompletionHead;
  /** In the order of the choices. */
  readonly requests: readonly GenerateRequest[];
  readonly choicesPerPrompt: number;
  readonly isEcho: boolean;
  readonly includesUsage: boolean;
}

/** Writes completions: events in, chunks or the whole answer out. */
export class CompletionEncoder implements StreamEncoder {
  readonly #plan: CompletionPlan;
  readonly #start: string;
  readonly #choices: { text: string; logprobs: TokenLogprob[]; untold: TokenLogprob[]; finish?: Finish }[];

  constructor(plan: CompletionPlan) {
    this.#plan = plan;
    this.#start = `data: ${JSON.stringify(encodeHead(plan.head, 'text_completion')).slice(0, -1)},"choices":[{"index":`;
    this.#choices = plan.requests.map(({ prompt }) => ({ text: plan.isEcho ? prompt : '', logprobs: [], untold: [] }));
  }

  open(): string {
    return this.#plan.isEcho ? this.#plan.requests.map(({ prompt }, index) => this.#chunk(index, { text: prompt })).join('') : '';
  }

  take(index: number, event: EngineEvent): string {
    const choice = this.#choices[index];
    if (choice === undefined) return '';
    if (event.type === 'delta') {
      const offset = choice.text.length;
      choice.text += event.answer;
      choice.untold.push(...(event.logprobs ?? []));
      const logprobs = choice.untold;
      choice.untold = [];
      choice.logprobs.push(...logprobs);
      return this.#chunk(index, { text: event.answer, logprobs, offset });
    }
    if (event.type !== 'finish') return '';
    choice.finish = event;
    return this.#chunk(index, { text: '', reason: event.reason });
  }

  close(): string {
    const { head, includesUsage } = this.#plan;
    const usage = includesUsage ? sseBlock(JSON.stringify({ ...encodeHead(head, 'text_completion'), choices: [], ...this.#usage() })) : '';
    return `${usage}data: [DONE]\n\n`;
  }

  /** The whole answer, once all events were taken. */
  whole() {
    return {
      ...encodeHead(this.#plan.head, 'text_completion'),
      choices: this.#choices.map(({ text, logprobs, finish }, index) => ({
        index,
        text,
        logprobs: this.#logprobs(index, logprobs, 0),
        finish_reason: finish?.reason ?? null,
      })),
      ...this.#usage(),
    };
  }

  #chunk(index: number, part: { text: string; logprobs?: readonly TokenLogprob[]; offset?: number; reason?: string }): string {
    const logprobs = part.logprobs === undefined ? null : this.#logprobs(index, part.logprobs, part.offset ?? 0);
    const reason = part.reason === undefined ? 'null' : `"${part.reason}"`;
    return `${this.#start}${index},"text":${JSON.stringify(part.text)},"logprobs":${JSON.stringify(logprobs)},"finish_reason":${reason}}]${this.#plan.includesUsage ? ',"usage":null' : ''}}\n\n`;
  }

  #logprobs(index: number, tokens: readonly TokenLogprob[], offset: number) {
    return this.#plan.requests[index]?.topLogprobs === undefined ? null : encodeCompletionLogprobs(tokens, offset);
  }

  /** A prompt counts once, however many choices continue it. */
  #usage(): { usage?: ReturnType<typeof encodeUsage> } {
    const usages = this.#choices.flatMap(({ finish }) => (finish === undefined ? [] : [finish.usage]));
    if (usages.length !== this.#choices.length) return {};
    const each = this.#plan.choicesPerPrompt;
    const prompts = Array.from({ length: usages.length / each }, (_, place) => sumUsage(usages.slice(place * each, (place + 1) * each)));
    const add = (key: keyof Usage): number => prompts.reduce((sum, usage) => sum + usage[key], 0);
    return {
      usage: encodeUsage({
        promptTokens: add('promptTokens'),
        cachedTokens: add('cachedTokens'),
        completionTokens: add('completionTokens'),
        reasoningTokens: add('reasoningTokens'),
      }),
    };
  }
}
