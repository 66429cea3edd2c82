import { AsyncQueue } from '../../core/async-queue.ts';
import { OSLER_ERR_ENGINE_NOT_READY, OSLER_ERR_QUEUE_FULL } from '../../core/errors.ts';
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
import type { ThoughtTags } from '../thought-splitter.ts';
import { LlamaProcess } from './llama-process.ts';
import type { Adapter, LoadOptions, VocabularyFacts } from './protocol.ts';
import type { PlaceReading, ReadRequest } from './read-distributions.ts';

const retryAfterSeconds = 5;

export interface LlamaEngineOptions extends Omit<LoadOptions, 'arms'> {
  /** Name of the model, for errors. */
  readonly name: string;
  /** Requests that may wait for a slot; more are refused. */
  readonly maxWaiting: number;
}

/** One arm over the weights of a process that others may share. */
export class LlamaEngine implements Engine {
  readonly tags: ThoughtTags;
  readonly #options: LlamaEngineOptions;
  readonly #process: LlamaProcess;
  readonly #arm: number;
  readonly #onClose: () => Promise<void>;
  #active = 0;
  #embeddings = 0;

  private constructor(options: LlamaEngineOptions, process: LlamaProcess, arm: number, onClose: () => Promise<void>) {
    this.#options = options;
    this.tags = options.tags;
    this.#process = process;
    this.#arm = arm;
    this.#onClose = onClose;
  }

  /** Starts one process with one copy of the weights for several models: the base and adapters over it. It ends when the last is closed. */
  static openArms(options: Omit<LlamaEngineOptions, 'name'>, arms: readonly { name: string; adapter: Adapter | null }[]): LlamaEngine[] {
    const { maxWaiting: _maxWaiting, ...load } = options;
    const name = arms.map((arm) => arm.name).join(', ');
    const process = new LlamaProcess({ ...load, name, arms: arms.map((arm) => arm.adapter) });
    const open = new Set(arms.keys());
    return arms.map(
      (arm, index) =>
        new LlamaEngine({ ...options, name: arm.name }, process, index, async () => {
          open.delete(index);
          if (open.size === 0) await process.close();
        }),
    );
  }

  get state(): EngineState {
    return this.#process.state;
  }

  get load(): EngineLoad {
    const slots = this.#slots;
    return {
      running: Math.min(this.#active, slots),
      waiting: Math.max(0, this.#active - slots),
      restarts: this.#process.restarts,
      occupancy: this.#active === 0 ? 0 : Math.min(1, this.#process.lastStepSize(this.#arm) / slots),
    };
  }

  /** Id of the engine's process, or undefined while there is none. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  ready(): Promise<EngineInfo> {
    return this.#process.ready();
  }

  generate(request: GenerateRequest, signal?: AbortSignal): Generation {
    const id = this.#process.takeId();
    return {
      answerNow: () => this.#process.send({ type: 'answer-now', id }),
      [Symbol.asyncIterator]: () => this.#iterate(id, request, signal),
    };
  }

  async tokenize(text: string): Promise<number[]> {
    return (await this.#process.ask({ about: 'tokens', text })) as number[]; // see Question
  }

  async detokenize(tokens: readonly number[]): Promise<string> {
    return (await this.#process.ask({ about: 'text', tokens })) as string; // see Question
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Embeddings> {
    const { name, maxWaiting } = this.#options;
    // They are made one at a time.
    if (this.#embeddings > maxWaiting) throw new OSLER_ERR_QUEUE_FULL(name, maxWaiting, retryAfterSeconds);
    this.#embeddings += 1;
    try {
      return (await this.#process.ask({ about: 'embeddings', texts }, signal)) as Embeddings; // see Question
    } finally {
      this.#embeddings -= 1;
    }
  }

  async slots(): Promise<SlotState[]> {
    return (await this.#process.ask({ about: 'slots', arm: this.#arm })) as SlotState[]; // see Question
  }

  async score(prompt: string, segments: readonly string[]): Promise<SegmentScore[]> {
    return (await this.#process.ask({ about: 'scores', arm: this.#arm, prompt, segments })) as SegmentScore[]; // see Question
  }

  /** Next-token distributions within a text, for comparing what two files make of it. */
  async read(request: ReadRequest): Promise<PlaceReading[]> {
    return (await this.#process.ask({ about: 'distributions', arm: this.#arm, request })) as PlaceReading[]; // see Question
  }

  /** The file's special tokens as a runtime sees them; `endIds` are those of `tokens` that end a generation. */
  async vocabulary(tokens: readonly number[]): Promise<VocabularyFacts> {
    return (await this.#process.ask({ about: 'vocabulary', tokens })) as VocabularyFacts; // see Question
  }

  async close(): Promise<void> {
    await this.#onClose();
  }

  get #slots(): number {
    return this.#process.info?.slots ?? this.#options.slots;
  }

  async *#iterate(id: number, request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<EngineEvent, void> {
    signal?.throwIfAborted();
    const { name, maxWaiting } = this.#options;
    if (this.#process.state.name !== 'ready') throw new OSLER_ERR_ENGINE_NOT_READY(name, this.#process.state.name);
    if (this.#active >= this.#slots + maxWaiting) throw new OSLER_ERR_QUEUE_FULL(name, maxWaiting, retryAfterSeconds);
    const queue = new AsyncQueue<EngineEvent>();
    let isRunning = true;
    // Its slot is free when the engine's process is done, however long the client takes to read what came of it.
    const leave = (): void => {
      if (isRunning) this.#active -= 1;
      isRunning = false;
    };
    this.#process.follow(id, {
      push: (event) => {
        if (event.type === 'finish') leave();
        queue.push(event);
      },
      end: (error) => {
        leave();
        queue.end(error);
      },
    });
    this.#active += 1;
    const abort = (): void => queue.end(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      // The prompt is all that this engine needs of the chat.
      const { chat: _chat, ...rest } = request;
      this.#process.send({ type: 'generate', id, arm: this.#arm, request: rest });
      for await (const event of queue) {
        yield event;
        if (event.type === 'finish') return;
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#process.drop(id);
      if (isRunning) this.#process.send({ type: 'cancel', id });
      leave();
    }
  }
}
