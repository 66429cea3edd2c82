import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import { AnswerTracker } from '../answer-tracker.ts';
import type { EngineEvent } from '../engine.ts';
import type { ThoughtTags } from '../thought-splitter.ts';
import { AnswerEvents } from './answer-events.ts';
import { correctReasoning, TokenCount } from './token-count.ts';
import type { UpstreamChunk } from './upstream-chunk.ts';
import { streamChunks, type UpstreamRun } from './upstream-run.ts';
import { commonFields, grammarFields, refuseUnless } from './upstream-words.ts';

/**
 * Marks that no text holds, for thoughts that the upstream has separated itself:
 * a tag that stands in such a thought as a word must not end it.
 */
const channelTags: ThoughtTags = { open: '\u{F0000}think\u{F0001}', close: '\u{F0000}/think\u{F0001}' };
/** Hosts that know the limit under its newer name only. */
const newerLimitHosts = /(?:^|\.)(?:openai\.com|openai\.azure\.com)$/;
const why = 'the upstream of this model is sent messages, not prompts; give --template NAME=FILE where it has /v1/completions too';

/** One answer from POST /chat/completions: the messages go up as they are, since only the upstream has the template. */
export class ChatRun {
  readonly #run: UpstreamRun;
  readonly #body: Record<string, unknown>;
  readonly #count = new TokenCount();
  #channel: AnswerChannel | undefined;

  /** Throws OSLER_ERR_REQUEST_UNSUPPORTED before anything is sent. */
  constructor(run: UpstreamRun, baseUrl: string) {
    this.#run = run;
    this.#body = chatBody(run, baseUrl);
  }

  async *events(): AsyncGenerator<EngineEvent, void> {
    const { clock } = this.#run;
    let finishReason: string | null = null;
    let isStopped = false;
    for await (const chunk of streamChunks(this.#run, '/chat/completions', this.#body)) {
      const tokens = this.#count.take(chunk);
      if (tokens > 0) clock.noteToken();
      finishReason = chunk.finishReason ?? finishReason;
      if (chunk.text === '' && chunk.reasoning === '') continue;
      this.#channel ??= new AnswerChannel(this.#run, chunk);
      yield* this.#channel.push(chunk, tokens);
      isStopped = this.#channel.tracker.isStopped;
      if (isStopped) break;
    }
    const channel = this.#channel ?? new AnswerChannel(this.#run, null);
    const { isInThought } = channel.tracker;
    yield* channel.end();
    yield this.#finish(channel, !isStopped && finishReason === 'length' ? 'length' : 'stop', isInThought);
  }

  #finish(channel: AnswerChannel, reason: 'stop' | 'length', isInThought: boolean): EngineEvent {
    const { last, missing } = this.#count;
    const { completionTokens, reasoningTokens } = channel.tracker;
    const counted = { reasoning: reasoningTokens, completion: completionTokens };
    const corrected = missing === 0 ? reasoningTokens : correctReasoning(counted, missing, isInThought);
    const promptCharacters = JSON.stringify(this.#body['messages']).length;
    return {
      type: 'finish',
      reason,
      rawText: channel.rawText,
      usage: {
        // A stop string ends the stream before its usage: four characters a token is the usual guess.
        promptTokens: last?.prompt ?? Math.ceil(promptCharacters / 4),
        cachedTokens: last?.cached ?? 0,
        completionTokens: completionTokens + missing,
        reasoningTokens: last !== null && last.reasoning > 0 ? Math.min(last.reasoning, completionTokens + missing) : corrected,
      },
      timings: this.#run.clock.timings(),
    };
  }
}

/** One tracker for both forms: thoughts as a field of their own, and thoughts within the content. */
class AnswerChannel {
  readonly tracker: AnswerTracker;
  readonly #tags: ThoughtTags;
  readonly #isSeparated: boolean;
  readonly #events: AnswerEvents;
  #place: 'start' | 'thought' | 'answer' = 'start';

  /** The first chunk with text shows which form the upstream uses. */
  constructor(run: UpstreamRun, first: UpstreamChunk | null) {
    const { request, tags } = run;
    this.#tags = tags;
    this.#isSeparated = first !== null && first.reasoning !== '';
    this.tracker = new AnswerTracker({
      isPreopened: !this.#isSeparated && request.isThoughtPreopened,
      tags: this.#isSeparated ? channelTags : tags,
      stop: request.stop,
      stopScope: request.stopScope,
    });
    const budget = request.thinkingBudgetTokens;
    this.#events = new AnswerEvents(this.tracker, {
      // Where the budget was passed on, the upstream closes at it without saying so.
      describeClose: (closed) => (closed === 'model' && budget !== null && this.tracker.reasoningTokens >= budget ? 'budget' : closed),
      readRaw: (raw) => this.#readRaw(raw),
    });
  }

  get rawText(): string {
    return this.#readRaw(this.tracker.rawText);
  }

  push(chunk: UpstreamChunk, tokens: number): EngineEvent[] {
    return this.#events.push(this.#isSeparated ? this.#join(chunk) : chunk.text, tokens);
  }

  end(): EngineEvent[] {
    return this.#events.end();
  }

  /** Puts marks where the fields change. More of a thought after the answer has begun has no place, and is counted only. */
  #join(chunk: UpstreamChunk): string {
    let text = '';
    if (chunk.reasoning !== '' && this.#place !== 'answer') {
      text += (this.#place === 'start' ? `${channelTags.open}\n` : '') + chunk.reasoning;
      this.#place = 'thought';
    }
    if (chunk.text !== '') {
      text += (this.#place === 'thought' ? `\n${channelTags.close}\n\n` : '') + chunk.text;
      this.#place = 'answer';
    }
    return text;
  }

  #readRaw(raw: string): string {
    return raw.replaceAll(channelTags.open, this.#tags.open).replaceAll(channelTags.close, this.#tags.close);
  }
}

function chatBody(run: UpstreamRun, baseUrl: string): Record<string, unknown> {
  const { description, request } = run;
  const { chat, maxTokens, thinkingBudgetTokens } = request;
  const { kind } = description;
  if (chat === undefined) throw new OSLER_ERR_REQUEST_UNSUPPORTED('prompt', why);
  const { reasoningEffort, templateVariables = {} } = chat;
  const isOwn = kind === 'osler';
  const hasEffort = reasoningEffort !== undefined;
  // A word of effort has become a budget on the way here; the upstream gets the word.
  refuseUnless('thinking_budget_tokens', hasEffort || isOwn || thinkingBudgetTokens === null, why);
  const [variable] = Object.keys(templateVariables);
  refuseUnless(variable === 'enable_thinking' ? variable : 'chat_template_kwargs', variable === undefined || kind !== 'other', why);
  const limitName = newerLimitHosts.test(new URL(baseUrl).hostname) ? 'max_completion_tokens' : 'max_tokens';
  return {
    ...commonFields(kind, description.model, request),
    messages: chat.messages,
    ...(maxTokens !== null && { [limitName]: maxTokens }),
    ...(request.grammar !== undefined && grammarFields(kind, 'chat', request.grammar)),
    ...(hasEffort && { reasoning_effort: reasoningEffort }),
    ...(!hasEffort && thinkingBudgetTokens !== null && { thinking_budget_tokens: thinkingBudgetTokens }),
    ...(variable !== undefined && { chat_template_kwargs: templateVariables }),
  };
}
