import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EngineEvent } from '../engine/engine.ts';
import type { ServedModels } from './served-model.ts';

/** OpenTelemetry's GenAI buckets for durations, extended to 655 s for long thoughts. */
const durationBuckets = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36];
const labelNames = ['model'] as const;

/** How a request ended, for the counter. */
export type RequestOutcome = 'stop' | 'length' | 'cancelled' | 'error';

/** The server's metrics in Prometheus' text format: vLLM's words with the prefix `osler_`. */
export class Metrics {
  readonly registry = new Registry();
  readonly #requests: Counter<'model' | 'outcome'>;
  readonly #promptTokens: Counter<'model'>;
  readonly #cachedTokens: Counter<'model'>;
  readonly #generationTokens: Counter<'model'>;
  readonly #reasoningTokens: Counter<'model'>;
  readonly #thoughtClosed: Counter<'model' | 'how'>;
  readonly #firstToken: Histogram<'model'>;
  readonly #firstContentToken: Histogram<'model'>;
  readonly #queue: Histogram<'model'>;
  readonly #latency: Histogram<'model'>;

  constructor(models: ServedModels) {
    const registers = [this.registry];
    const counter = <T extends string>(name: string, help: string, labels: readonly T[]): Counter<T> =>
      new Counter({ name: `osler_${name}`, help, labelNames: labels, registers });
    const histogram = (name: string, help: string): Histogram<'model'> =>
      new Histogram({ name: `osler_${name}`, help, labelNames, registers, buckets: durationBuckets });
    this.#requests = counter('requests_total', 'Requests by how they ended', ['model', 'outcome']);
    this.#promptTokens = counter('prompt_tokens_total', 'Prompt tokens', labelNames);
    this.#cachedTokens = counter('prefix_cache_tokens_total', 'Prompt tokens found in the cache', labelNames);
    this.#generationTokens = counter('generation_tokens_total', 'Generated tokens, thought included', labelNames);
    this.#reasoningTokens = counter('reasoning_tokens_total', 'Generated tokens up to and including the closing tag', labelNames);
    this.#thoughtClosed = counter('thought_closed_total', 'Thoughts by how they ended', ['model', 'how']);
    this.#firstToken = histogram('time_to_first_token_seconds', 'From request to the first token');
    this.#firstContentToken = histogram('time_to_first_content_token_seconds', 'From request to the first token of the answer');
    this.#queue = histogram('request_queue_time_seconds', 'Waiting for a slot');
    this.#latency = histogram('e2e_request_latency_seconds', 'From request to the last token');
    const gauge = (name: string, help: string, read: (model: ReturnType<ServedModels['list']>[number]) => number): void => {
      new Gauge({
        name: `osler_${name}`,
        help,
        labelNames,
        registers,
        collect() {
          for (const model of models.list()) this.set({ model: model.name }, read(model));
        },
      });
    };
    gauge('num_requests_running', 'Requests in a slot', (model) => model.engine.load.running);
    gauge('num_requests_waiting', 'Requests waiting for a slot', (model) => model.engine.load.waiting);
    gauge('engine_restarts', 'Times the engine process was started again', (model) => model.engine.load.restarts);
  }

  /** Passes events on and counts what they tell. */
  async *observe(model: string, events: AsyncIterable<EngineEvent>): AsyncGenerator<EngineEvent, void> {
    const startedMs = performance.now();
    const elapsedSeconds = (): number => (performance.now() - startedMs) / 1000;
    const labels = { model };
    let hasToken = false;
    let hasContent = false;
    let outcome: RequestOutcome = 'cancelled';
    try {
      for await (const event of events) {
        if (event.type === 'delta') {
          if (!hasToken) this.#firstToken.observe(labels, elapsedSeconds());
          if (!hasContent && event.answer !== '') this.#firstContentToken.observe(labels, elapsedSeconds());
          hasToken = true;
          hasContent ||= event.answer !== '';
        } else if (event.type === 'thought-closed') {
          this.#thoughtClosed.inc({ model, how: event.how });
        } else {
          outcome = event.reason;
          this.#promptTokens.inc(labels, event.usage.promptTokens);
          this.#cachedTokens.inc(labels, event.usage.cachedTokens);
          this.#generationTokens.inc(labels, event.usage.completionTokens);
          this.#reasoningTokens.inc(labels, event.usage.reasoningTokens);
          this.#queue.observe(labels, event.timings.queueSeconds);
          this.#latency.observe(labels, elapsedSeconds());
        }
        yield event;
      }
    } catch (error) {
      outcome = error instanceof Error && error.name === 'AbortError' ? 'cancelled' : 'error';
      throw error;
    } finally {
      this.#requests.inc({ model, outcome });
    }
  }
}
