import type { LlamaContextSequence, LlamaGrammarEvaluationState, LlamaModel, Token } from 'node-llama-cpp';
import { AnswerTracker } from '../answer-tracker.ts';
import type { EngineEvent, GenerateRequest, TokenLogprob } from '../engine.ts';
import type { ThoughtTags } from '../thought-splitter.ts';
import { AnswerLogprobs } from './answer-logprobs.ts';
import { createSteps, type Step, type TokenSteps } from './token-steps.ts';

/** Most tokens to hold back for a character that is not complete; beyond, the bytes are no UTF-8 at all. */
const maxHeldTokens = 8;

/** A request with the prompt's tokens, as the driver keeps it. */
export interface Job {
  readonly id: number;
  readonly request: GenerateRequest;
  readonly tokens: readonly Token[];
  /** Compiled, where the request has one. */
  readonly grammar: LlamaGrammarEvaluationState | undefined;
  /** The closing tokens stand at the end of `tokens` already. */
  readonly isClosedAtStart: boolean;
  readonly arrivedMs: number;
  isCancelled: boolean;
  wantsAnswerNow: boolean;
}

/**
 * One generation in one sequence of the context: from its first prompt token to its finish event.
 * The driver steps all slots together; a slot never touches another.
 */
export class SlotRun {
  readonly job: Job;
  readonly #sequence: LlamaContextSequence;
  readonly #model: LlamaModel;
  readonly #tracker: AnswerTracker;
  readonly #closeTokens: Token[];
  readonly #closeText: string;
  /** Sorts the batch by slot: llama.cpp takes ascending neighbours in one pass over the weights. */
  readonly #priority: number;
  readonly #admittedMs = performance.now();
  readonly #cachedTokens: number;
  readonly #steps: TokenSteps;
  readonly #logprobs: AnswerLogprobs;
  #heldLogprobs: TokenLogprob[] = [];
  #prefilled: number;
  #hasStepped = false;
  #heldTokens: Token[] = [];
  #lastTokens: Token[] = [];
  #forced: Token[] | undefined;
  #firstTokenMs: number | undefined;
  #isCloseReported = false;

  constructor(
    job: Job,
    sequence: LlamaContextSequence,
    options: { cachedTokens: number; closeTokens: Token[]; closeText: string; tags: ThoughtTags; slot: number },
  ) {
    const { request } = job;
    this.job = job;
    this.#sequence = sequence;
    this.#model = sequence.model;
    this.#cachedTokens = options.cachedTokens;
    this.#prefilled = options.cachedTokens;
    this.#closeTokens = options.closeTokens;
    this.#closeText = options.closeText;
    this.#priority = 1000 - options.slot;
    this.#tracker = new AnswerTracker({
      isPreopened: request.isThoughtPreopened,
      isThinkingEnabled: request.isThinkingEnabled,
      tags: options.tags,
      stop: request.stop,
      stopScope: request.stopScope,
    });
    this.#logprobs = new AnswerLogprobs(options.tags.close);
    this.#steps = createSteps(sequence, {
      request,
      priority: this.#priority,
      // The thought is free; the answer is held to the grammar from its first token on.
      grammar: () => (this.#tracker.isInThought ? undefined : job.grammar),
    });
    // Its tokens are part of the prompt, and counted there.
    if (job.isClosedAtStart) this.#tracker.forceClose('budget', options.closeText, 0);
  }

  /** Whether the prompt is still being read: no token has come of it yet. */
  get isPrefilling(): boolean {
    return !this.#hasStepped;
  }

  /** Tokens that the next step decodes: what is left of the prompt, then one, or more where some are forced. */
  get stepTokens(): number {
    return this.#hasStepped ? (this.#forced?.length ?? 1) : this.job.tokens.length - this.#prefilled;
  }

  get state(): 'prompt' | 'generation' {
    return this.isPrefilling ? 'prompt' : 'generation';
  }

  /** Reads the next `tokens` of the prompt, not to its end: that is what the first step is for. */
  async prefill(tokens: number): Promise<undefined> {
    const end = this.#prefilled + tokens;
    const piece = this.job.tokens.slice(this.#prefilled, end);
    // Priorities beyond the documented 1 to 5 are only compared, and sort the batch by slot.
    await this.#sequence.evaluateWithoutGeneratingNewTokens(piece, { evaluationPriority: this.#priority as 5 });
    this.#prefilled = end;
  }

  /** Asks for the next token. Call for all slots in ascending order, then await them together. */
  async step(): Promise<Step> {
    const forced = this.#hasStepped ? this.#forced : this.job.tokens.slice(this.#prefilled);
    this.#hasStepped = true;
    this.#forced = undefined;
    const step = await this.#steps.next(forced);
    this.#firstTokenMs ??= performance.now();
    return step;
  }

  /** Takes the token of a step and gives the events that follow from it. */
  take({ token, logprob }: Step): { events: EngineEvent[]; isFinished: boolean } {
    const events: EngineEvent[] = [];
    if (token === null) return { events: this.#finish(events, 'stop'), isFinished: true };
    this.#heldTokens.push(token);
    if (logprob !== undefined) this.#heldLogprobs.push(logprob);
    const text = this.#model.detokenize(this.#heldTokens, true, this.#lastTokens);
    const isWhole = !text.endsWith('\uFFFD') || this.#heldTokens.length >= maxHeldTokens;
    if (isWhole) this.#pushHeld(events, text);
    this.#reportClose(events);
    if (this.#tracker.isStopped) return { events: this.#finish(events, 'stop'), isFinished: true };
    const closes = isWhole ? this.#dueClose() : null;
    // A thought is closed only where at least one token of an answer fits behind the closing tag.
    if (!this.#hasRoomFor(closes === null ? 1 : this.#closeTokens.length + 1))
      return { events: this.#finish(events, 'length'), isFinished: true };
    if (closes !== null) this.#closeThought(events, token, closes);
    return { events, isFinished: false };
  }

  /** Ends the iteration, so that the sequence is free for another. */
  async dispose(): Promise<void> {
    await this.#steps.end();
  }

  /** Gives the held tokens' text to the tracker. */
  #pushHeld(events: EngineEvent[], text: string): void {
    this.#logprobs.push(text, this.#heldLogprobs);
    const split = this.#tracker.push(text, this.#heldTokens.length);
    if (this.#tracker.isInThought) this.#logprobs.clear();
    this.#lastTokens = [...this.#lastTokens, ...this.#heldTokens].slice(-maxHeldTokens);
    this.#heldTokens = [];
    this.#heldLogprobs = [];
    this.#addDelta(events, split);
  }

  /** Why a running thought is to be closed now; null: it is not. */
  #dueClose(): 'budget' | 'client' | null {
    if (!this.#tracker.isInThought) return null;
    const budget = this.job.request.thinkingBudgetTokens;
    if (budget !== null && this.#tracker.reasoningTokens >= budget) return 'budget';
    return this.job.wantsAnswerNow ? 'client' : null;
  }

  /** Whether so many tokens more may be generated, the last of them not decoded: by the request's limit and by the context. */
  #hasRoomFor(tokens: number): boolean {
    const { maxTokens } = this.job.request;
    const generated = this.#tracker.completionTokens + this.#heldTokens.length;
    if (maxTokens !== null && generated + tokens > maxTokens) return false;
    return this.#sequence.nextTokenIndex + tokens < this.#sequence.contextSize;
  }

  #closeThought(events: EngineEvent[], token: Token, how: 'budget' | 'client'): void {
    this.#forced = [token, ...this.#closeTokens];
    this.#addDelta(events, this.#tracker.forceClose(how, this.#closeText, this.#closeTokens.length));
    this.#lastTokens = [...this.#lastTokens, ...this.#closeTokens].slice(-maxHeldTokens);
    this.#reportClose(events);
  }

  #finish(events: EngineEvent[], reason: 'stop' | 'length'): EngineEvent[] {
    if (this.#heldTokens.length > 0) this.#pushHeld(events, this.#model.detokenize(this.#heldTokens, true, this.#lastTokens));
    this.#addDelta(events, this.#tracker.end());
    this.#reportClose(events, true);
    const now = performance.now();
    const first = this.#firstTokenMs ?? now;
    events.push({
      type: 'finish',
      reason,
      rawText: this.#tracker.rawText,
      usage: {
        promptTokens: this.job.tokens.length,
        cachedTokens: this.#cachedTokens,
        completionTokens: this.#tracker.completionTokens,
        reasoningTokens: this.#tracker.reasoningTokens,
      },
      timings: {
        queueSeconds: (this.#admittedMs - this.job.arrivedMs) / 1000,
        promptSeconds: (first - this.#admittedMs) / 1000,
        generationSeconds: (now - first) / 1000,
      },
    });
    return events;
  }

  #addDelta(events: EngineEvent[], split: { thought: string; answer: string }): void {
    if (split.thought === '' && split.answer === '') return;
    const logprobs = this.#logprobs.take(split.answer);
    events.push({ type: 'delta', ...split, raw: this.#tracker.takeRaw(), ...(logprobs.length > 0 && { logprobs }) });
  }

  #reportClose(events: EngineEvent[], isEnd = false): void {
    const { closed } = this.#tracker;
    if (this.#isCloseReported || closed === 'none' || (closed === 'never' && !isEnd)) return;
    this.#isCloseReported = true;
    events.push({ type: 'thought-closed', how: closed });
  }
}
