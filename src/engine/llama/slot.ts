import type { LlamaContextSequence, LlamaGrammarEvaluationState, LlamaModel, Token } from 'node-llama-cpp';
import { AnswerTracker } from '../answer-tracker.ts';
import type { EngineEvent, GenerateRequest, TokenLogprob } from '../engine.ts';
import type { ThoughtTags } from '../thought-splitter.ts';
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
  #logprobs: TokenLogprob[] = [];
  #prefilled: number;
  #hasStepped = false;
  #heldTokens: Token[] = [];
  #lastTokens: Token[] = [];
  #forced: Token[] | undefined;
  #firstTokenMs: number | undefined;
  #isCloseReported = false;
  #hasAnswer = false;

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
    this.#steps = createSteps(sequence, {
      request,
      priority: this.#priority,
      // The thought is free; the answer is held to the grammar from its first token on.
      grammar: () => (this.#tracker.isInThought ? undefined : job.grammar),
    });
    if (job.isClosedAtStart) this.#tracker.forceClose('budget', options.closeText, options.closeTokens.length);
  }

  /** Whether prompt tokens are still to be read, the last one aside: it is read by the first step. */
  get isPrefilling(): boolean {
    return this.#prefilled < this.job.tokens.length - 1;
  }

  /** Prompt tokens left to read before the first step. */
  get prefillTokens(): number {
    return Math.max(0, this.job.tokens.length - 1 - this.#prefilled);
  }

  get state(): 'prompt' | 'generation' {
    return this.isPrefilling ? 'prompt' : 'generation';
  }

  /** Reads the next `tokens` of the prompt. */
  async prefill(tokens: number): Promise<void> {
    const end = Math.min(this.#prefilled + tokens, this.job.tokens.length - 1);
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
    const wasInAnswer = !this.#tracker.isInThought;
    this.#heldTokens.push(token);
    const text = this.#model.detokenize(this.#heldTokens, true, this.#lastTokens);
    if (logprob !== undefined && wasInAnswer && (this.#hasAnswer || text.trim() !== '')) this.#logprobs.push(logprob);
    if (!text.endsWith('\uFFFD') || this.#heldTokens.length >= maxHeldTokens) {
      this.#addDelta(events, this.#tracker.push(text, this.#heldTokens.length));
      this.#lastTokens = [...this.#lastTokens, ...this.#heldTokens].slice(-maxHeldTokens);
      this.#heldTokens = [];
      this.#closeThoughtWhereDue(events, token);
    }
    this.#reportClose(events);
    if (this.#tracker.isStopped) return { events: this.#finish(events, 'stop'), isFinished: true };
    const { maxTokens } = this.job.request;
    const generated = this.#tracker.completionTokens + this.#heldTokens.length;
    const isFull = this.#sequence.nextTokenIndex + (this.#forced?.length ?? 1) >= this.#sequence.contextSize;
    if (isFull || (maxTokens !== null && generated >= maxTokens)) return { events: this.#finish(events, 'length'), isFinished: true };
    return { events, isFinished: false };
  }

  /** Ends the iteration, so that the sequence is free for another. */
  async dispose(): Promise<void> {
    await this.#steps.end();
  }

  #closeThoughtWhereDue(events: EngineEvent[], token: Token): void {
    if (!this.#tracker.isInThought) return;
    const budget = this.job.request.thinkingBudgetTokens;
    const isSpent = budget !== null && this.#tracker.reasoningTokens >= budget;
    if (!isSpent && !this.job.wantsAnswerNow) return;
    this.#forced = [token, ...this.#closeTokens];
    this.#addDelta(events, this.#tracker.forceClose(isSpent ? 'budget' : 'client', this.#closeText, this.#closeTokens.length));
    this.#lastTokens = [...this.#lastTokens, ...this.#closeTokens].slice(-maxHeldTokens);
  }

  #finish(events: EngineEvent[], reason: 'stop' | 'length'): EngineEvent[] {
    if (this.#heldTokens.length > 0) {
      this.#addDelta(events, this.#tracker.push(this.#model.detokenize(this.#heldTokens, true, this.#lastTokens), this.#heldTokens.length));
    }
    this.#addDelta(events, this.#tracker.end());
    this.#reportClose(events, true);
    const now = performance.now();
    const first = this.#firstTokenMs ?? now;
    events.push({
      type: 'finish',
      reason,
      rawText: this.#tracker.rawText,
      usage: {
        promptTokens: this.job.tokens.length - (this.job.isClosedAtStart ? this.#closeTokens.length : 0),
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
    this.#hasAnswer ||= split.answer !== '';
    events.push({ type: 'delta', ...split, raw: this.#tracker.takeRaw(), ...(this.#logprobs.length > 0 && { logprobs: this.#logprobs }) });
    this.#logprobs = [];
  }

  #reportClose(events: EngineEvent[], isEnd = false): void {
    const { closed } = this.#tracker;
    if (this.#isCloseReported || closed === 'none' || (closed === 'never' && !isEnd)) return;
    this.#isCloseReported = true;
    events.push({ type: 'thought-closed', how: closed });
  }
}
