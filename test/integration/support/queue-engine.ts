import { OSLER_ERR_QUEUE_FULL } from '../../../src/core/errors.ts';
import type { EngineEvent } from '../../../src/engine/engine.ts';
import { StubEngine } from './stub-engine.ts';

interface Visit {
  readonly admitted: PromiseWithResolvers<void>;
  readonly ended: PromiseWithResolvers<void>;
}

/** An engine with slots and a bounded queue, first come, first served, as the real one; an answer ends when the test says so. */
export class QueueEngine extends StubEngine {
  readonly #slots: number;
  readonly #maxWaiting: number;
  readonly #visits: Visit[] = [];

  constructor(options: { slots: number; maxWaiting: number; isSilent?: boolean }) {
    super((_request, signal) => this.#answer(signal, options.isSilent ?? false));
    this.#slots = options.slots;
    this.#maxWaiting = options.maxWaiting;
  }

  override get load() {
    const running = Math.min(this.#slots, this.#visits.length);
    return { running, waiting: this.#visits.length - running, restarts: 0, occupancy: running / this.#slots };
  }

  override async ready() {
    return { contextTokens: 4096, slots: this.#slots, device: 'stub', embeddingSize: null };
  }

  /** Ends the oldest answer. */
  endOldest(): void {
    this.#visits[0]?.ended.resolve();
  }

  async *#answer(signal: AbortSignal | undefined, isSilent: boolean): AsyncGenerator<EngineEvent, void> {
    if (this.#visits.length >= this.#slots + this.#maxWaiting) throw new OSLER_ERR_QUEUE_FULL('tuned', this.#maxWaiting, 5);
    const visit = { admitted: Promise.withResolvers<void>(), ended: Promise.withResolvers<void>() };
    const aborted = new Promise<never>((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    aborted.catch(() => undefined);
    this.#visits.push(visit);
    const startedMs = performance.now();
    try {
      this.#admit();
      await Promise.race([visit.admitted.promise, aborted]);
      const admittedMs = performance.now();
      if (!isSilent) yield { type: 'delta', thought: '', answer: 'well', raw: 'well' };
      await Promise.race([visit.ended.promise, aborted]);
      yield {
        type: 'finish',
        reason: 'stop',
        rawText: 'well',
        usage: { promptTokens: 1, cachedTokens: 0, completionTokens: 1, reasoningTokens: 0 },
        timings: {
          queueSeconds: (admittedMs - startedMs) / 1000,
          promptSeconds: 0,
          generationSeconds: (performance.now() - admittedMs) / 1000,
        },
      };
    } finally {
      this.#visits.splice(this.#visits.indexOf(visit), 1);
      this.#admit();
    }
  }

  #admit(): void {
    for (const visit of this.#visits.slice(0, this.#slots)) visit.admitted.resolve();
  }
}
