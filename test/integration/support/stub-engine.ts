import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../../src/core/errors.ts';
import type { Embeddings, Engine, EngineInfo, EngineEvent, EngineState, GenerateRequest } from '../../../src/engine/engine.ts';
import { defaultThoughtTags } from '../../../src/engine/thought-splitter.ts';

/** An engine made of one generator, for what a script cannot do: throwing at once, or hanging until the iteration is left. */
export class StubEngine implements Engine {
  readonly tags = defaultThoughtTags;
  readonly state: EngineState;
  readonly #play: (request: GenerateRequest, signal: AbortSignal | undefined) => AsyncGenerator<EngineEvent, void>;
  #running = 0;

  constructor(
    play: (request: GenerateRequest, signal: AbortSignal | undefined) => AsyncGenerator<EngineEvent, void>,
    state: EngineState = { name: 'ready' },
  ) {
    this.#play = play;
    this.state = state;
  }

  get load() {
    return { running: this.#running, waiting: 0, restarts: 0, occupancy: 0 };
  }

  async ready(): Promise<EngineInfo> {
    return { contextTokens: 4096, slots: 1, device: 'stub', embeddingSize: null };
  }

  generate(request: GenerateRequest, signal?: AbortSignal) {
    return { answerNow: () => undefined, [Symbol.asyncIterator]: () => this.#iterate(request, signal) };
  }

  async tokenize(): Promise<number[]> {
    return [];
  }

  async detokenize(): Promise<string> {
    return '';
  }

  async embed(_texts: readonly string[], _signal?: AbortSignal): Promise<Embeddings> {
    throw new OSLER_ERR_REQUEST_UNSUPPORTED('model', 'the stub makes no embeddings');
  }

  async slots(): Promise<never[]> {
    return [];
  }

  async score(): Promise<never[]> {
    return [];
  }

  async close(): Promise<void> {
    // Nothing is open.
  }

  async *#iterate(request: GenerateRequest, signal: AbortSignal | undefined): AsyncGenerator<EngineEvent, void> {
    this.#running += 1;
    try {
      yield* this.#play(request, signal);
    } finally {
      this.#running -= 1;
    }
  }
}
