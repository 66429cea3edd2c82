import { z } from 'zod';
import { OSLER_ERR_ENGINE_NOT_READY, OSLER_ERR_QUEUE_FULL, OSLER_ERR_UPSTREAM_FAILED } from '../../core/errors.ts';
import type {
  Embeddings,
  Engine,
  EngineEvent,
  EngineInfo,
  EngineLoad,
  EngineState,
  GenerateRequest,
  Generation,
  SegmentScore,
  SlotState,
} from '../engine.ts';
import { defaultThoughtTags, type ThoughtTags } from '../thought-splitter.ts';
import { ChatRun } from './chat-run.ts';
import { CompletionsRun } from './completions-run.ts';
import { describeUpstream, type UpstreamDescription } from './describe-upstream.ts';
import { RequestGate } from './request-gate.ts';
import { scoreByEcho } from './score-by-echo.ts';
import { UpstreamClient } from './upstream-client.ts';
import type { UpstreamRef } from './upstream-ref.ts';
import { RunClock } from './upstream-run.ts';
import { UpstreamState } from './upstream-state.ts';
import { defaultUpstreamTiming, type UpstreamTiming } from './upstream-timing.ts';
import { refuseUnless, type UpstreamMode } from './upstream-words.ts';

const retryAfterSeconds = 5;

export interface OpenAiEngineOptions {
  /** Name of the model, for errors. */
  readonly name: string;
  readonly ref: Pick<UpstreamRef, 'baseUrl' | 'model' | 'kind'>;
  readonly apiKey: string | null;
  /** Left out: prompts where the upstream tells its template, else messages. */
  readonly mode?: UpstreamMode;
  readonly tags?: ThoughtTags;
  /** Requests at once. */
  readonly slots: number;
  /** Requests that may wait for one of these; more are refused. */
  readonly maxWaiting: number;
  /** Tokens of a request where the upstream does not say how many it holds. */
  readonly contextTokens: number;
  readonly timing?: Partial<UpstreamTiming>;
}

const Embedded = z.looseObject({
  data: z.array(z.looseObject({ index: z.int(), embedding: z.array(z.number()) })),
  usage: z.looseObject({ prompt_tokens: z.int().nullish() }).nullish(),
});

/** A model behind another server's OpenAI-style API: llama-server, vLLM, a hosted service, or one of ours. */
export class OpenAiEngine implements Engine {
  readonly tags: ThoughtTags;
  readonly #options: Omit<OpenAiEngineOptions, 'apiKey'>;
  readonly #timing: UpstreamTiming;
  readonly #client: UpstreamClient;
  readonly #gate: RequestGate;
  readonly #state: UpstreamState;

  constructor(options: OpenAiEngineOptions) {
    const { apiKey, ...rest } = options;
    const { name, ref, slots, maxWaiting } = rest;
    this.#options = rest;
    this.tags = options.tags ?? defaultThoughtTags;
    this.#timing = { ...defaultUpstreamTiming, ...options.timing };
    this.#gate = new RequestGate(slots, maxWaiting);
    this.#client = new UpstreamClient({
      name,
      baseUrl: ref.baseUrl,
      apiKey,
      timing: this.#timing,
      onTrouble: () => this.#state.lookNow(),
    });
    this.#state = new UpstreamState({
      name,
      timing: this.#timing,
      describe: (signal) => describeUpstream(this.#client, ref, { closeText: this.#closeText, signal }),
      check: async (signal) => void (await this.#client.askOnce({ path: '/models' }, { signal })),
    });
  }

  get state(): EngineState {
    return this.#state.current;
  }

  get load(): EngineLoad {
    const { running, waiting } = this.#gate;
    return { running, waiting, restarts: this.#state.losses, occupancy: Math.min(1, running / this.#options.slots) };
  }

  async ready(): Promise<EngineInfo> {
    const { contextTokens, embeddingSize, kind } = await this.describe();
    const { ref, slots, contextTokens: assumed } = this.#options;
    return {
      contextTokens: contextTokens ?? assumed,
      slots,
      device: `${kind === 'other' ? 'upstream' : kind} at ${new URL(ref.baseUrl).host}`,
      embeddingSize,
    };
  }

  /** What the upstream says of itself; throws as `ready()` does. */
  describe(): Promise<UpstreamDescription> {
    return this.#state.description();
  }

  generate(request: GenerateRequest, signal?: AbortSignal): Generation {
    const control = { wantsAnswerNow: false };
    return {
      answerNow: () => {
        control.wantsAnswerNow = true;
      },
      [Symbol.asyncIterator]: () => this.#iterate(request, control, signal),
    };
  }

  // Tokenizing takes no place at the gate: it occupies no slot of the upstream, and a request that holds a place asks for it too.
  async tokenize(text: string): Promise<number[]> {
    const { tokenizer } = await this.#use();
    refuseUnless('tokenize', tokenizer !== null);
    return (await tokenizer?.tokenize(text)) ?? [];
  }

  async detokenize(tokens: readonly number[]): Promise<string> {
    const { tokenizer } = await this.#use();
    refuseUnless('detokenize', tokenizer !== null);
    return (await tokenizer?.detokenize(tokens)) ?? '';
  }

  async embed(texts: readonly string[], outer?: AbortSignal): Promise<Embeddings> {
    const { embeddingSize, model } = await this.#use();
    refuseUnless('input', embeddingSize !== null, 'the upstream of this model makes no embeddings');
    const body = { model, input: texts, encoding_format: 'float' };
    const signal = this.#signalOf(outer);
    const leave = await this.#enter(signal);
    const answer = await this.#client.ask({ path: '/embeddings', body }, { signal, timeoutMs: this.#timing.firstByteMs }).finally(leave);
    const { data, usage } = Embedded.parse(answer);
    if (data.length !== texts.length) throw new OSLER_ERR_UPSTREAM_FAILED(this.#options.name, 'it gave fewer embeddings than texts');
    const vectors = data.toSorted((a, b) => a.index - b.index).map(({ embedding }) => toUnitLength(embedding));
    return { vectors, tokens: usage?.prompt_tokens ?? 0 };
  }

  /** An upstream's slots are its own affair. */
  async slots(): Promise<SlotState[]> {
    return [];
  }

  async score(prompt: string, segments: readonly string[]): Promise<SegmentScore[]> {
    const description = await this.#use();
    const signal = this.#signalOf();
    const upstream = { name: this.#options.name, client: this.#client, description, timeoutMs: this.#timing.firstByteMs, signal };
    const leave = await this.#enter(signal);
    return await scoreByEcho(upstream, prompt, segments).finally(leave);
  }

  async close(): Promise<void> {
    this.#state.close();
  }

  /** The way training text closes a thought, so that a forced close looks to the model like its own. */
  get #closeText(): string {
    return `\n${this.tags.close}\n\n`;
  }

  async #use(): Promise<UpstreamDescription> {
    if (this.state.name !== 'ready') throw new OSLER_ERR_ENGINE_NOT_READY(this.#options.name, this.state.name);
    return await this.describe();
  }

  /** Aborts when the caller gives up, and when the engine is closed. */
  #signalOf(outer?: AbortSignal): AbortSignal {
    return outer === undefined ? this.#state.closing : AbortSignal.any([outer, this.#state.closing]);
  }

  /** Waits for a place among the requests at once; gives what sets it free. Throws OSLER_ERR_QUEUE_FULL and the signal's reason. */
  async #enter(signal: AbortSignal): Promise<() => void> {
    const { maxWaiting, name } = this.#options;
    signal.throwIfAborted();
    if (this.#gate.isFull) throw new OSLER_ERR_QUEUE_FULL(name, maxWaiting, retryAfterSeconds);
    return await this.#gate.enter(signal);
  }

  async *#iterate(request: GenerateRequest, control: { wantsAnswerNow: boolean }, outer?: AbortSignal): AsyncGenerator<EngineEvent, void> {
    outer?.throwIfAborted();
    const { contextTokens: assumedContextTokens, name, ref } = this.#options;
    const clock = new RunClock();
    const description = await this.#use();
    const signal = this.#signalOf(outer);
    const { tags } = this;
    const common = { name, client: this.#client, description, request, tags, assumedContextTokens, control, signal, clock };
    const run = { ...common, closeText: this.#closeText };
    const mode = this.#options.mode ?? (description.templateSource === null ? 'chat' : 'completions');
    const answer = mode === 'chat' ? new ChatRun(run, ref.baseUrl) : new CompletionsRun(run);
    const leave = await this.#enter(signal);
    try {
      clock.noteAdmission();
      yield* answer.events();
    } finally {
      leave();
    }
  }
}

function toUnitLength(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector);
  return length === 0 ? [...vector] : vector.map((value) => value / length);
}
