import { setTimeout as sleep } from 'node:timers/promises';
import type { LlamaContext, LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp';
import type { EngineEvent, GenerateRequest, SegmentScore, SlotState } from '../engine.ts';
import type { ThoughtTags } from '../thought-splitter.ts';
import { AnswerGrammars } from './answer-grammar.ts';
import type { ChildFault } from './protocol.ts';
import { faultOf, RequestFault } from './request-fault.ts';
import { scoreSegments } from './score-segments.ts';
import { type Job, SlotRun } from './slot.ts';
import { TurnTaking } from './turn-taking.ts';

/** A cached prefix must be this much longer to be worth leaving a gap between the slots in use. */
const minPrefixGainTokens = 16;
/** An idle driver waits so long for others before it reads a first prompt: clients that wait for each other's answers come together. */
const gatherMs = 2;

/** What the driver tells its process. */
export interface DriverEvents {
  /** All events of one decoding step over all requests, and how many sequences it had. */
  onStep(events: readonly { id: number; event: EngineEvent }[], size: number): void;
  onFault(id: number, fault: ChildFault): void;
}

export interface DriverOptions {
  readonly slots: number;
  readonly tags: ThoughtTags;
  /** Shared by drivers that must not compute at the same time; left out: this one has its own. */
  readonly turns?: TurnTaking;
}

/**
 * Drives all sequences of one context in lockstep: one decode a step for every running request.
 *
 * Independent loops, one a request, lose three quarters of a GPU: they give batches of B−1 in changing order,
 * and llama.cpp takes only ascending neighbouring sequences in one pass over the weights.
 */
export class LockstepDriver {
  readonly #model: LlamaModel;
  readonly #sequences: LlamaContextSequence[];
  readonly #runs: (SlotRun | undefined)[];
  readonly #events: DriverEvents;
  readonly #tags: ThoughtTags;
  readonly #turns: TurnTaking;
  readonly #grammars: AnswerGrammars;
  readonly #batchTokens: number;
  readonly #contextTokens: number;
  readonly #closeText: string;
  readonly #closeTokens: Token[];
  readonly #waiting: Job[] = [];
  readonly #scoring: (() => Promise<void>)[] = [];
  /** Requests whose grammar is being compiled; a cancel takes them out. */
  readonly #preparing = new Set<number>();
  #isLooping = false;

  constructor(context: LlamaContext, events: DriverEvents, options: DriverOptions) {
    this.#model = context.model;
    this.#sequences = Array.from({ length: options.slots }, () => context.getSequence());
    this.#runs = this.#sequences.map(() => undefined);
    this.#events = events;
    this.#tags = options.tags;
    this.#turns = options.turns ?? new TurnTaking();
    this.#grammars = new AnswerGrammars(context.model);
    this.#batchTokens = context.batchSize;
    this.#contextTokens = this.#sequences[0]?.contextSize ?? context.contextSize;
    // The way the training text closes a thought, so that a forced close looks to the model like its own.
    this.#closeText = `\n${options.tags.close}\n\n`;
    this.#closeTokens = this.#model.tokenize(this.#closeText, true);
  }

  get contextTokens(): number {
    return this.#contextTokens;
  }

  tokenize(text: string): Token[] {
    return this.#model.tokenize(text, true);
  }

  slots(): SlotState[] {
    return this.#sequences.map((sequence, id) => ({
      id,
      state: this.#runs[id]?.state ?? 'idle',
      cachedTokens: sequence.nextTokenIndex,
    }));
  }

  /** Takes a request; what is wrong with it is told as a fault. */
  async add(id: number, request: GenerateRequest): Promise<void> {
    this.#preparing.add(id);
    try {
      const job = await this.#prepare(id, request);
      if (!this.#preparing.has(id)) return;
      this.#waiting.push(job);
      void this.#loop();
    } catch (error) {
      this.#events.onFault(id, faultOf(error));
    } finally {
      this.#preparing.delete(id);
    }
  }

  /** Stops a request at the next step, or before its next piece of prompt. It gives no further events. */
  cancel(id: number): void {
    this.#preparing.delete(id);
    const place = this.#waiting.findIndex((job) => job.id === id);
    if (place >= 0) this.#waiting.splice(place, 1);
    const run = this.#runs.find((candidate) => candidate?.job.id === id);
    if (run !== undefined) run.job.isCancelled = true;
  }

  answerNow(id: number): void {
    const job = this.#waiting.find((candidate) => candidate.id === id) ?? this.#runs.find((run) => run?.job.id === id)?.job;
    if (job !== undefined) job.wantsAnswerNow = true;
  }

  /** Scores segments in a free slot, between steps. */
  score(prompt: string, segments: readonly string[]): Promise<SegmentScore[]> {
    const { promise, resolve, reject } = Promise.withResolvers<SegmentScore[]>();
    this.#scoring.push(async () => {
      const slot = this.#freeSlots()[0];
      const sequence = slot === undefined ? undefined : this.#sequences[slot];
      if (sequence === undefined) throw new Error('no free slot for scoring');
      await scoreSegments(
        sequence,
        this.tokenize(prompt),
        segments.map((segment) => this.tokenize(segment)),
      ).then(resolve, reject);
    });
    void this.#loop();
    return promise;
  }

  async #prepare(id: number, request: GenerateRequest): Promise<Job> {
    if (request.grammar !== undefined && request.topLogprobs !== undefined)
      throw new RequestFault({ code: 'unsupported', parameter: 'logprobs', message: 'not together with response_format or tool_choice' });
    // A budget of 0 closes the thought in the prompt, before the model can say a word of it.
    const isClosedAtStart = request.isThoughtPreopened && request.isThinkingEnabled && request.thinkingBudgetTokens === 0;
    const tokens = [...this.tokenize(request.prompt), ...(isClosedAtStart ? this.#closeTokens : [])];
    if (tokens.length === 0) throw new RequestFault({ code: 'unsupported', parameter: 'prompt', message: 'it is empty' });
    if (tokens.length >= this.#contextTokens)
      throw new RequestFault({ code: 'too-long', message: 'prompt longer than the context', promptTokens: tokens.length });
    const arrivedMs = performance.now();
    const grammar = request.grammar === undefined ? undefined : await this.#grammars.start(request.grammar);
    return { id, request, tokens, grammar, isClosedAtStart, arrivedMs, isCancelled: false, wantsAnswerNow: false };
  }

  async #loop(): Promise<void> {
    if (this.#isLooping) return;
    this.#isLooping = true;
    try {
      await sleep(gatherMs);
      while (this.#waiting.length > 0 || this.#scoring.length > 0 || this.#runs.some((run) => run !== undefined)) {
        await this.#dropCancelled();
        if (this.#scoring.length > 0 && this.#freeSlots().length > 0) {
          const scoring = this.#scoring.shift();
          if (scoring !== undefined) await this.#turns.run(scoring);
        }
        await this.#admit();
        await this.#turns.run(async () => this.#prefillPieces());
        await this.#turns.run(async () => this.#stepAll());
      }
    } finally {
      this.#isLooping = false;
    }
  }

  #freeSlots(): number[] {
    return [...this.#runs.keys()].filter((slot) => this.#runs[slot] === undefined);
  }

  async #dropCancelled(): Promise<void> {
    for (const [slot, run] of this.#runs.entries()) if (run?.job.isCancelled === true) await this.#release(slot, run);
  }

  async #admit(): Promise<void> {
    for (let free = this.#freeSlots(); free.length > 0 && this.#waiting.length > 0; free = this.#freeSlots()) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      const { slot, prefixTokens } = this.#chooseSlot(free, job.tokens);
      const sequence = this.#sequences[slot];
      if (sequence === undefined) return;
      if (sequence.nextTokenIndex > prefixTokens)
        await sequence.eraseContextTokenRanges([{ start: prefixTokens, end: sequence.nextTokenIndex }]);
      this.#runs[slot] = new SlotRun(job, sequence, {
        cachedTokens: prefixTokens,
        closeTokens: this.#closeTokens,
        closeText: this.#closeText,
        tags: this.#tags,
        slot,
      });
    }
  }

  /**
   * The slot whose cache begins most like this prompt, among the lowest that all who wait will fill; a higher one only where that
   * saves real work, since a gap between slots in use costs a pass over the weights in each step.
   */
  #chooseSlot(free: readonly number[], tokens: readonly Token[]): { slot: number; prefixTokens: number } {
    const filled = this.#waiting.length + 1;
    let best = { slot: free[0] ?? 0, prefixTokens: -1 };
    for (const [index, slot] of free.entries()) {
      const common = this.#sequences[slot]?.compareContextTokens([...tokens]).firstDifferentIndex ?? 0;
      // The last prompt token is always read anew: its logits give the first generated token.
      const prefixTokens = Math.min(common, tokens.length - 1);
      if (prefixTokens >= best.prefixTokens + (index < filled ? 1 : minPrefixGainTokens)) best = { slot, prefixTokens };
    }
    return best;
  }

  /**
   * One batch of prompt between two steps, so that the others' inter-token latency stays flat: new requests in the order
   * of their slots, as far as the batch goes. Several short prompts share one pass over the weights.
   */
  async #prefillPieces(): Promise<void> {
    let room = this.#batchTokens - this.#sequences.length;
    const pieces: { slot: number; run: SlotRun; tokens: number }[] = [];
    for (const [slot, run] of this.#runs.entries()) {
      if (run?.isPrefilling !== true || run.job.isCancelled || room <= 0) continue;
      const tokens = Math.min(run.prefillTokens, room);
      pieces.push({ slot, run, tokens });
      room -= tokens;
    }
    const results = await Promise.allSettled(pieces.map(({ run, tokens }) => run.prefill(tokens)));
    for (const [index, { slot, run }] of pieces.entries()) {
      const result = results[index];
      if (result?.status === 'rejected') await this.#fail(slot, run, result.reason);
    }
  }

  async #stepAll(): Promise<void> {
    const stepping = [...this.#runs.entries()].flatMap(([slot, run]) =>
      run === undefined || run.isPrefilling || run.job.isCancelled ? [] : [{ slot, run }],
    );
    if (stepping.length === 0) return;
    const results = await Promise.allSettled(stepping.map(({ run }) => run.step()));
    const events: { id: number; event: EngineEvent }[] = [];
    for (const [index, { slot, run }] of stepping.entries()) {
      const result = results[index];
      if (result?.status !== 'fulfilled') {
        await this.#fail(slot, run, result?.reason);
        continue;
      }
      if (run.job.isCancelled) continue;
      const taken = run.take(result.value);
      for (const event of taken.events) events.push({ id: run.job.id, event });
      if (taken.isFinished) await this.#release(slot, run);
    }
    this.#events.onStep(events, stepping.length);
  }

  async #fail(slot: number, run: SlotRun, reason: unknown): Promise<void> {
    await this.#release(slot, run);
    this.#events.onFault(run.job.id, faultOf(reason));
  }

  async #release(slot: number, run: SlotRun): Promise<void> {
    await run.dispose();
    this.#runs[slot] = undefined;
  }
}
