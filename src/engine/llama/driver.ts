import type { LlamaContext, LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp';
import type { EngineEvent, GenerateRequest, SegmentScore } from '../engine.ts';
import type { ThoughtTags } from '../thought-splitter.ts';
import type { ChildFault } from './protocol.ts';
import { scoreSegments } from './score-segments.ts';
import { type Job, SlotRun } from './slot.ts';

/** A cached prefix must be this much longer to be worth leaving the lowest free slot. */
const minPrefixGainTokens = 16;

/** What the driver tells its process. */
export interface DriverEvents {
  /** All events of one decoding step, over all requests. */
  onStep(events: readonly { id: number; event: EngineEvent }[]): void;
  onFault(id: number, fault: ChildFault): void;
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
  readonly #batchTokens: number;
  readonly #contextTokens: number;
  readonly #closeText: string;
  readonly #closeTokens: Token[];
  readonly #waiting: Job[] = [];
  readonly #scoring: (() => Promise<void>)[] = [];
  #isLooping = false;

  constructor(context: LlamaContext, events: DriverEvents, options: { slots: number; tags: ThoughtTags }) {
    this.#model = context.model;
    this.#sequences = Array.from({ length: options.slots }, () => context.getSequence());
    this.#runs = this.#sequences.map(() => undefined);
    this.#events = events;
    this.#tags = options.tags;
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

  add(id: number, request: GenerateRequest): void {
    // A budget of 0 closes the thought in the prompt, before the model can say a word of it.
    const isClosedAtStart = request.isThoughtPreopened && request.isThinkingEnabled && request.thinkingBudgetTokens === 0;
    const tokens = [...this.tokenize(request.prompt), ...(isClosedAtStart ? this.#closeTokens : [])];
    if (tokens.length >= this.#contextTokens) {
      this.#events.onFault(id, { code: 'too-long', message: 'prompt longer than the context', promptTokens: tokens.length });
      return;
    }
    this.#waiting.push({ id, request, tokens, isClosedAtStart, arrivedMs: performance.now(), isCancelled: false, wantsAnswerNow: false });
    void this.#loop();
  }

  /** Stops a request at the next step, or before its next piece of prompt. It gives no further events. */
  cancel(id: number): void {
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

  async #loop(): Promise<void> {
    if (this.#isLooping) return;
    this.#isLooping = true;
    try {
      while (this.#waiting.length > 0 || this.#scoring.length > 0 || this.#runs.some((run) => run !== undefined)) {
        await this.#dropCancelled();
        if (this.#scoring.length > 0 && this.#freeSlots().length > 0) await this.#scoring.shift()?.();
        await this.#admit();
        await this.#prefillPiece();
        await this.#stepAll();
      }
    } finally {
      this.#isLooping = false;
    }
  }

  #freeSlots(): number[] {
    return [...this.#runs.keys()].filter((slot) => this.#runs[slot] === undefined);
  }

  async #dropCancelled(): Promise<void> {
    for (const [slot, run] of this.#runs.entries()) {
      if (run?.job.isCancelled !== true) continue;
      await run.dispose();
      this.#runs[slot] = undefined;
    }
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

  /** The lowest free slot, or the one whose cache begins like this prompt where that saves real work. */
  #chooseSlot(free: readonly number[], tokens: readonly Token[]): { slot: number; prefixTokens: number } {
    let best = { slot: free[0] ?? 0, prefixTokens: 0 };
    for (const [index, slot] of free.entries()) {
      const common = this.#sequences[slot]?.compareContextTokens([...tokens]).firstDifferentIndex ?? 0;
      // The last prompt token is always read anew: its logits give the first generated token.
      const prefixTokens = Math.min(common, tokens.length - 1);
      if (index === 0) best = { slot, prefixTokens };
      else if (prefixTokens >= best.prefixTokens + minPrefixGainTokens) best = { slot, prefixTokens };
    }
    return best;
  }

  /** One piece of one prompt between steps, so that the others' inter-token latency stays flat. */
  async #prefillPiece(): Promise<void> {
    const run = this.#runs.find((candidate) => candidate?.isPrefilling === true && !candidate.job.isCancelled);
    await run?.prefill(this.#batchTokens - this.#sequences.length);
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
        await this.#release(slot, run);
        this.#events.onFault(run.job.id, { code: 'internal', message: String(result?.reason) });
        continue;
      }
      if (run.job.isCancelled) continue;
      const taken = run.take(result.value);
      for (const event of taken.events) events.push({ id: run.job.id, event });
      if (taken.isFinished) await this.#release(slot, run);
    }
    if (events.length > 0) this.#events.onStep(events);
  }

  async #release(slot: number, run: SlotRun): Promise<void> {
    await run.dispose();
    this.#runs[slot] = undefined;
  }
}
