import { setTimeout as sleep } from 'node:timers/promises';
import type { LlamaContext, LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp';
import type { EngineEvent, GenerateRequest, SegmentScore, SlotState } from '../engine.ts';
import type { ThoughtTags } from '../thought-splitter.ts';
import { alignReadings } from './aligned-reading.ts';
import { AnswerGrammars } from './answer-grammar.ts';
import type { ChildFault } from './protocol.ts';
import { faultOf, RequestFault } from './request-fault.ts';
import { type PlaceReading, readDistributions, type ReadRequest } from './read-distributions.ts';
import { scoreSegments } from './score-segments.ts';
import { findFollowers, planCopies, type PrefixCopier } from './shared-prefix.ts';
import { chooseSlots, type SlotView } from './slot-choice.ts';
import { type Job, SlotRun } from './slot.ts';
import { parameterOutsideGrammars } from './token-steps.ts';
import { TurnTaking } from './turn-taking.ts';

/** Measured on a CPU (decision 13). */
const defaultPassTokens = 8;
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
  /** What one more pass over the weights costs, in prompt tokens read. */
  readonly passTokens?: number;
  /** Copies what one slot has read to another; left out: each reads for itself. */
  readonly copier?: PrefixCopier | undefined;
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
  readonly #copier: PrefixCopier | undefined;
  readonly #passTokens: number;
  /** Whether a cache can be cut back to any place. */
  readonly #canReadAgain: boolean;
  readonly #closeText: string;
  readonly #closeTokens: Token[];
  readonly #waiting: Job[] = [];
  readonly #scoring: (() => Promise<void>)[] = [];
  /** Requests whose grammar is being compiled, with what was asked of them meanwhile; a cancel takes them out. */
  readonly #preparing = new Map<number, { wantsAnswerNow: boolean }>();
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
    this.#passTokens = options.passTokens ?? defaultPassTokens;
    this.#copier = options.copier;
    this.#canReadAgain = !this.#sequences.some((sequence) => sequence.needsCheckpoints);
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
    this.#preparing.set(id, { wantsAnswerNow: false });
    try {
      const job = await this.#prepare(id, request);
      const wishes = this.#preparing.get(id);
      if (wishes === undefined) return;
      this.#waiting.push(Object.assign(job, wishes));
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
    const job =
      this.#preparing.get(id) ??
      this.#waiting.find((candidate) => candidate.id === id) ??
      this.#runs.find((run) => run?.job.id === id)?.job;
    if (job !== undefined) job.wantsAnswerNow = true;
  }

  /** Scores segments in a free slot, between steps. */
  async score(prompt: string, segments: readonly string[]): Promise<SegmentScore[]> {
    const [tokens, ...rest] = [prompt, ...segments].map((text) => this.tokenize(text));
    return await this.#betweenSteps(async (sequence) => await scoreSegments(sequence, tokens ?? [], rest));
  }

  /** Reads next-token distributions within a text in a free slot, between steps. */
  async read(request: ReadRequest): Promise<PlaceReading[]> {
    return await this.#betweenSteps(async (sequence) => await readDistributions(sequence, request));
  }

  #betweenSteps<T>(work: (sequence: LlamaContextSequence) => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#scoring.push(async () => {
      const slot = this.#freeSlots()[0];
      const sequence = slot === undefined ? undefined : this.#sequences[slot];
      if (sequence === undefined) throw new Error('no free slot for scoring');
      await work(sequence).then(resolve, reject);
    });
    void this.#loop();
    return promise;
  }

  async #prepare(id: number, request: GenerateRequest): Promise<Job> {
    const outsideGrammars = parameterOutsideGrammars(this.#model, request);
    if (request.grammar !== undefined && outsideGrammars !== null)
      throw new RequestFault({
        code: 'unsupported',
        parameter: outsideGrammars,
        message: 'not together with response_format or tool_choice',
      });
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
        await this.#turns.run(async () => this.#decode());
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
    const isFree = this.#runs.map((run) => run === undefined);
    const jobs = await this.#takeWaiting(isFree.filter(Boolean).length);
    if (jobs.length === 0) return;
    const prefixTokens = jobs.map((job) =>
      this.#sequences.map((sequence, slot) => (isFree[slot] === true ? commonPrefixTokens(sequence, job) : 0)),
    );
    const slots = this.#slotViews();
    const choices = this.#canReadAgain
      ? alignReadings(
          chooseSlots(slots, prefixTokens),
          jobs.map(({ tokens }) => tokens.length),
          prefixTokens,
          this.#passTokens,
        )
      : chooseSlots(slots, prefixTokens);
    const admitted: { slot: number; run: SlotRun; erases: Promise<void> }[] = [];
    for (const { request, slot, prefixTokens } of choices) {
      const [job, sequence] = [jobs[request], this.#sequences[slot]];
      if (job === undefined || sequence === undefined) continue;
      const run = new SlotRun(job, sequence, {
        cachedTokens: prefixTokens,
        closeTokens: this.#closeTokens,
        closeText: this.#closeText,
        tags: this.#tags,
        slot,
      });
      // Before anything is waited for, so that a cancel finds each request where it looks.
      this.#runs[slot] = run;
      admitted.push({ slot, run, erases: eraseFrom(sequence, prefixTokens) });
    }
    const results = await Promise.allSettled(admitted.map(({ erases }) => erases));
    for (const [index, { slot, run }] of admitted.entries()) {
      const result = results[index];
      if (result?.status === 'rejected') await this.#fail(slot, run, result.reason);
    }
  }

  /**
   * Takes requests that can be admitted to so many free slots. Those that begin as another that is being read stay, until they can
   * have that beginning copied; a copy is made while its request still waits, so that a cancel finds it.
   */
  async #takeWaiting(free: number): Promise<Job[]> {
    if (this.#copier === undefined || !this.#canReadAgain) return this.#waiting.splice(0, free);
    const jobs = this.#waiting.slice(0, free);
    if (jobs.length === 0) return [];
    const everywhere = (job: Job): number[] => this.#sequences.map((sequence) => commonPrefixTokens(sequence, job));
    const leaders = this.#runs.flatMap((run) => (run?.isPrefilling === true && !run.job.isCancelled ? [run.job.tokens] : []));
    const cached = jobs.map((job) => everywhere(job));
    const followers = findFollowers(
      jobs.map(({ tokens }) => tokens),
      leaders,
      cached.map((row) => Math.max(...row)),
    );
    const admitted = jobs.filter((_job, place) => !followers.has(place));
    const prefixTokens = cached.filter((_row, place) => !followers.has(place));
    const slots = this.#slotViews();
    const copies = planCopies(chooseSlots(slots, prefixTokens), prefixTokens, slots);
    if (copies.length > 0) await this.#turns.run(async () => await this.#copier?.copy(this.#sequences, copies));
    return admitted.filter((job) => {
      const place = this.#waiting.indexOf(job);
      if (place >= 0) this.#waiting.splice(place, 1);
      return place >= 0;
    });
  }

  #slotViews(): SlotView[] {
    return this.#sequences.map((sequence, slot) => ({ isFree: this.#runs[slot] === undefined, cachedTokens: sequence.nextTokenIndex }));
  }

  /**
   * What the next batch holds, in the order of slots: a token of every request that generates, and of prompts as much as there is
   * room for, so that the others' inter-token latency stays flat.
   */
  #planBatch(): { slot: number; run: SlotRun; tokens: number }[] {
    const active = [...this.#runs.entries()].flatMap(([slot, run]) =>
      run === undefined || run.job.isCancelled ? [] : [{ slot, run, tokens: run.isPrefilling ? 0 : run.stepTokens }],
    );
    let room = this.#batchTokens - active.reduce((sum, { tokens }) => sum + tokens, 0);
    for (const part of active) {
      if (!part.run.isPrefilling) continue;
      part.tokens = Math.max(0, Math.min(part.run.stepTokens, room));
      room -= part.tokens;
    }
    return active.filter(({ tokens }) => tokens > 0);
  }

  /** Decodes one batch. A prompt that ends in it gives its first token at once: a step of its own would be one more pass over the weights. */
  async #decode(): Promise<void> {
    const batch = this.#planBatch().map((part) => ({ ...part, isStep: part.tokens === part.run.stepTokens }));
    const results = await Promise.allSettled(batch.map(({ run, tokens, isStep }) => (isStep ? run.step() : run.prefill(tokens))));
    const events: { id: number; event: EngineEvent }[] = [];
    for (const [index, { slot, run }] of batch.entries()) {
      const result = results[index];
      if (result?.status !== 'fulfilled') {
        await this.#fail(slot, run, result?.reason);
        continue;
      }
      if (result.value === undefined || run.job.isCancelled) continue;
      const taken = run.take(result.value);
      for (const event of taken.events) events.push({ id: run.job.id, event });
      if (taken.isFinished) await this.#release(slot, run);
    }
    const size = batch.filter(({ isStep }) => isStep).length;
    if (size > 0) this.#events.onStep(events, size);
  }

  async #fail(slot: number, run: SlotRun, reason: unknown): Promise<void> {
    await this.#release(slot, run);
    this.#events.onFault(run.job.id, faultOf(reason));
    // A batch that failed half-way may have left cells that the sequence does not know of.
    await this.#sequences[slot]?.clearHistory().catch(() => undefined);
  }

  async #release(slot: number, run: SlotRun): Promise<void> {
    await run.dispose().catch(() => undefined);
    this.#runs[slot] = undefined;
  }
}

/**
 * Tokens of the prompt that a sequence has in its cache. The last is always read anew: its logits give the first generated token.
 *
 * A cache that keeps a window only (Gemma's, or recurrent state) cannot go back: the library would read the whole prefix again
 * within the erasing, beyond our pieces. There a prompt uses it as long as it goes on where the cache ends.
 */
function commonPrefixTokens(sequence: LlamaContextSequence, { tokens }: Job): number {
  // It only reads them.
  const { firstDifferentIndex } = sequence.compareContextTokens(tokens as Token[]);
  const prefixTokens = Math.min(firstDifferentIndex, tokens.length - 1);
  return sequence.needsCheckpoints && prefixTokens < sequence.nextTokenIndex ? 0 : prefixTokens;
}

/** Drops what a sequence holds from a position on. */
async function eraseFrom(sequence: LlamaContextSequence, start: number): Promise<void> {
  if (sequence.nextTokenIndex > start) await sequence.eraseContextTokenRanges([{ start, end: sequence.nextTokenIndex }]);
}
