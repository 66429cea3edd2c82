import { OSLER_ERR_REQUEST_TOO_LONG } from '../../core/errors.ts';
import { AnswerTracker } from '../answer-tracker.ts';
import type { EngineEvent } from '../engine.ts';
import { AnswerEvents } from './answer-events.ts';
import { correctReasoning, TokenCount } from './token-count.ts';
import type { UpstreamCounts } from './upstream-chunk.ts';
import { streamChunks, type UpstreamRun } from './upstream-run.ts';
import { commonFields, grammarFields } from './upstream-words.ts';

/** Fewest characters of English text that a token stands for, where nobody can count. */
const charactersPerToken = 2.5;
/** A server that cannot count for us is asked for this part of its context at least. */
const leastRoomParts = 4;

/**
 * One answer from POST /completions: the rendered prompt goes up, raw text comes down.
 *
 * No way to close a thought from outside is common to all servers, so it is done here: the stream is cancelled, and the
 * next one gets the prompt, all text so far and the closing tag. The upstream's prefix cache makes that a short prefill.
 */
export class CompletionsRun {
  readonly #run: UpstreamRun;
  readonly #tracker: AnswerTracker;
  readonly #events: AnswerEvents;
  readonly #commonFields: Record<string, unknown>;
  readonly #grammarFields: Record<string, unknown> | null;
  #count = new TokenCount();
  #firstCounts: UpstreamCounts | null = null;
  #firstPrompt = '';
  #streams = 0;

  /** Throws OSLER_ERR_REQUEST_UNSUPPORTED before anything is sent. */
  constructor(run: UpstreamRun) {
    const { description, request, tags } = run;
    this.#run = run;
    this.#tracker = new AnswerTracker({ ...request, isPreopened: request.isThoughtPreopened, tags });
    this.#events = new AnswerEvents(this.#tracker);
    this.#commonFields = commonFields(description.kind, description.model, request);
    this.#grammarFields = request.grammar === undefined ? null : grammarFields(description.kind, 'completions', request.grammar);
  }

  async *events(): AsyncGenerator<EngineEvent, void> {
    // Its tokens are part of the prompt, and counted there.
    if (this.#run.request.thinkingBudgetTokens === 0 && this.#tracker.isInThought) yield* this.#closeThought('budget', 0);
    let end: 'stop' | 'length' | 'next' = 'next';
    while (end === 'next') end = yield* this.#stream();
    const { isInThought } = this.#tracker;
    yield* this.#events.end();
    const { completionTokens, reasoningTokens, rawText } = this.#tracker;
    const { missing } = this.#count;
    const counted = { reasoning: reasoningTokens, completion: completionTokens };
    yield {
      type: 'finish',
      reason: end,
      rawText,
      usage: {
        promptTokens: await this.#countPrompt(),
        cachedTokens: this.#firstCounts?.cached ?? 0,
        completionTokens: completionTokens + missing,
        // Of several streams only the last one's total is known, and the thought was closed before it.
        reasoningTokens: this.#streams === 1 && missing !== 0 ? correctReasoning(counted, missing, isInThought) : reasoningTokens,
      },
      timings: this.#run.clock.timings(),
    };
  }

  /** One stream: to the end of the answer, or to where the next must begin. */
  async *#stream(): AsyncGenerator<EngineEvent, 'stop' | 'length' | 'next'> {
    const { clock, request } = this.#run;
    const body = await this.#nextBody();
    if (body === null) return 'length';
    this.#count = new TokenCount();
    this.#streams += 1;
    let finishReason: string | null = null;
    for await (const chunk of streamChunks(this.#run, '/completions', body)) {
      const tokens = this.#count.take(chunk);
      if (tokens > 0) clock.noteToken();
      if (this.#streams === 1) this.#firstCounts = chunk.counts ?? this.#firstCounts;
      finishReason = chunk.finishReason ?? finishReason;
      const isGrammarDue = request.grammar !== undefined && this.#tracker.isInThought;
      yield* this.#events.push(isGrammarDue ? this.#upToClose(chunk.text) : chunk.text, tokens);
      if (this.#tracker.isStopped) return 'stop';
      // A model that ended inside its thought has ended.
      if (finishReason !== null) continue;
      if (isGrammarDue && !this.#tracker.isInThought) {
        yield* this.#events.push('\n\n', 0);
        return 'next';
      }
      const how = this.#dueClose();
      if (how !== null) {
        const { closeTokens } = this.#run.description;
        if (!this.#hasRoomBehind(closeTokens)) return 'length';
        yield* this.#closeThought(how, closeTokens);
        return 'next';
      }
    }
    return finishReason === 'length' ? 'length' : 'stop';
  }

  /** What to ask for now; null: all tokens are used up. */
  async #nextBody(): Promise<Record<string, unknown> | null> {
    const { description, request } = this.#run;
    const { addedBos, kind } = description;
    const left = request.maxTokens === null ? null : request.maxTokens - this.#tracker.completionTokens;
    if (left !== null && left <= 0) return null;
    const prompt = request.prompt + this.#tracker.rawText;
    if (this.#streams === 0) this.#firstPrompt = prompt;
    return {
      ...this.#commonFields,
      ...(this.#grammarFields !== null && !this.#tracker.isInThought && this.#grammarFields),
      ...(kind === 'vllm' && { add_special_tokens: false }),
      prompt: addedBos !== '' && prompt.startsWith(addedBos) ? prompt.slice(addedBos.length) : prompt,
      max_tokens: await this.#maxTokensOf(prompt, left),
    };
  }

  /** Most tokens of the next stream, in the upstream's own words. */
  async #maxTokensOf(prompt: string, left: number | null): Promise<number> {
    const { assumedContextTokens, description, name } = this.#run;
    const contextTokens = description.contextTokens ?? assumedContextTokens;
    switch (description.kind) {
      case 'llama-server':
        return left ?? -1;
      case 'osler':
        // OpenAI's API, ours too, gives 16 where nothing is said. Ours ends where the context is full.
        return left ?? contextTokens;
      case 'other':
        return left ?? roomBehind(prompt, contextTokens);
      case 'vllm': {
        // As OpenAI's, and it refuses to be asked for more than there is room for.
        const promptTokens = await this.#countTokens(prompt);
        if (promptTokens >= contextTokens) throw new OSLER_ERR_REQUEST_TOO_LONG(promptTokens, name, contextTokens);
        return Math.min(left ?? contextTokens, contextTokens - promptTokens);
      }
    }
  }

  #dueClose(): 'budget' | 'client' | null {
    if (!this.#tracker.isInThought) return null;
    const { control, request } = this.#run;
    if (request.thinkingBudgetTokens !== null && this.#tracker.reasoningTokens >= request.thinkingBudgetTokens) return 'budget';
    return control.wantsAnswerNow ? 'client' : null;
  }

  /** Whether the request's limit leaves a token for an answer behind a closing tag of so many. */
  #hasRoomBehind(closeTokens: number): boolean {
    const { maxTokens } = this.#run.request;
    return maxTokens === null || this.#tracker.completionTokens + closeTokens < maxTokens;
  }

  #closeThought(how: 'budget' | 'client', tokens: number): EngineEvent[] {
    return this.#events.forceClose(how, this.#run.closeText, tokens);
  }

  /** The text up to and with the closing tag: what follows it was written without the grammar. */
  #upToClose(text: string): string {
    const before = this.#tracker.rawText;
    const { close } = this.#run.tags;
    const place = (before + text).indexOf(close);
    return place < 0 ? text : text.slice(0, place + close.length - before.length);
  }

  /** Tokens of the prompt, also where the stream was cancelled before its usage came. */
  async #countPrompt(): Promise<number> {
    return this.#firstCounts?.prompt ?? (await this.#countTokens(this.#firstPrompt));
  }

  /** Counted by the upstream where it can, else estimated: a count is no reason to lose an answer. */
  async #countTokens(text: string): Promise<number> {
    const { description, signal } = this.#run;
    const tokens = await description.tokenizer?.tokenize(text, signal).catch(() => undefined);
    signal.throwIfAborted();
    return tokens?.length ?? estimateTokens(text);
  }
}

function estimateTokens(text: string): number {
  return Math.ceil(text.length / charactersPerToken);
}

/**
 * Tokens to ask for where nobody can count the prompt: most servers refuse a prompt and a limit that are more than the context
 * together. The estimate is high, so a prompt that seems to leave little room has more; one that has not gets the server's refusal.
 */
function roomBehind(prompt: string, contextTokens: number): number {
  return Math.max(contextTokens - estimateTokens(prompt), Math.ceil(contextTokens / leastRoomParts));
}
