import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { isOslerError } from '../core/errors.ts';
import type { EngineEvent } from '../engine/engine.ts';
import type { EvaluationProgress } from '../eval/evaluation-progress.ts';
import type { ServedModel, ServedModels } from './served-model.ts';
import { readTrainingProgress, type TrainingSource } from './training-progress.ts';

/** OpenTelemetry's GenAI buckets for durations, extended to 655 s for long thoughts. */
const durationBuckets = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68, 655.36];
const interTokenBuckets = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192];
const labelNames = ['model'] as const;

/** What is asked of the evaluations. */
export type EvaluationSource = () => Promise<EvaluationProgress[]>;

/** How a request ended, for the counter. */
export type RequestOutcome = 'stop' | 'length' | 'cancelled' | 'error' | 'refused';

/** Errors by which the server declines work that it could do for a smaller or later request. */
const refusalCodes = new Set([
  'OSLER_ERR_QUEUE_FULL',
  'OSLER_ERR_QUEUE_TIMEOUT',
  'OSLER_ERR_REQUEST_TOO_LONG',
  'OSLER_ERR_RATE_LIMITED',
  'OSLER_ERR_DRAINING',
]);

/** The server's metrics in Prometheus' text format: vLLM's words with the prefix `osler_`. `docs/metrics.md` names each. */
export class Metrics {
  readonly registry = new Registry();
  /** Websockets that are open. */
  readonly websockets = new Gauge({ name: 'osler_websocket_connections', help: 'Open websockets', registers: [this.registry] });
  readonly #trainings: TrainingSource;
  readonly #evaluations: EvaluationSource;
  readonly #requests = this.#counter('requests_total', 'Requests by how they ended', ['model', 'outcome']);
  readonly #promptTokens = this.#counter('prompt_tokens_total', 'Prompt tokens', labelNames);
  readonly #cachedTokens = this.#counter('prefix_cache_tokens_total', 'Prompt tokens found in the cache', labelNames);
  readonly #generationTokens = this.#counter('generation_tokens_total', 'Generated tokens, thought included', labelNames);
  readonly #reasoningTokens = this.#counter('reasoning_tokens_total', 'Generated tokens up to and including the closing tag', labelNames);
  readonly #thoughtClosed = this.#counter('thought_closed_total', 'Thoughts by how they ended', ['model', 'how']);
  readonly #firstToken = this.#histogram('time_to_first_token_seconds', 'From request to the first token');
  readonly #firstContentToken = this.#histogram('time_to_first_content_token_seconds', 'From request to the first token of the answer');
  readonly #interToken = this.#histogram('inter_token_latency_seconds', 'Between two pieces of one answer', interTokenBuckets);
  readonly #queue = this.#histogram('request_queue_time_seconds', 'Waiting for a slot');
  readonly #latency = this.#histogram('e2e_request_latency_seconds', 'From request to the last token');
  readonly #trainingStep = this.#trainingGauge('step', 'Optimizer steps done');
  readonly #trainingTotalSteps = this.#trainingGauge('total_steps', 'Optimizer steps in all');
  readonly #trainingLoss = this.#trainingGauge('loss', 'Loss at the last step');
  readonly #trainingTokensPerSecond = this.#trainingGauge('tokens_per_second', 'Tokens trained on in a second');
  readonly #trainingEta = this.#trainingGauge('eta_seconds', 'Until the last step, as the trainer reckons');
  readonly #evaluationDone = this.#evaluationGauge('records', 'Records written');
  readonly #evaluationPlanned = this.#evaluationGauge('planned_records', 'Records in all');

  constructor(models: ServedModels, trainings: TrainingSource, evaluations: EvaluationSource) {
    this.#trainings = trainings;
    this.#evaluations = evaluations;
    this.#modelGauge(models, 'num_requests_running', 'Requests in a slot', ({ engine }) => engine.load.running);
    this.#modelGauge(models, 'num_requests_waiting', 'Requests waiting for a slot', ({ engine }) => engine.load.waiting);
    this.#modelGauge(models, 'batch_occupancy', 'Share of the slots in the last decoding step', ({ engine }) => engine.load.occupancy);
    new Counter({
      name: 'osler_engine_restarts_total',
      help: 'Times the engine process was started again',
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { name, engine } of models.list()) this.inc({ model: name }, engine.load.restarts);
      },
    });
  }

  /** Everything, as it is now. */
  async text(): Promise<string> {
    await this.#readTrainings();
    await this.#readEvaluations();
    return await this.registry.metrics();
  }

  /** Counts a request that was refused before anybody read which model it wants. */
  countRefused(): void {
    this.#requests.inc({ model: '', outcome: 'refused' });
  }

  /** Counts work that has no events, such as embeddings, by how it ends. */
  async observeWork<T>(model: string, work: Promise<T>): Promise<T> {
    let outcome: RequestOutcome = 'stop';
    try {
      return await work;
    } catch (error) {
      outcome = outcomeOf(error);
      throw error;
    } finally {
      this.#requests.inc({ model, outcome });
    }
  }

  /** Passes events on and counts what they tell. */
  async *observe(model: string, events: AsyncIterable<EngineEvent>): AsyncGenerator<EngineEvent, void> {
    const startedMs = performance.now();
    const elapsedSeconds = (): number => (performance.now() - startedMs) / 1000;
    const labels = { model };
    let lastSeconds: number | null = null;
    let hasContent = false;
    let outcome: RequestOutcome = 'cancelled';
    try {
      for await (const event of events) {
        if (event.type === 'delta') {
          const seconds = elapsedSeconds();
          if (lastSeconds === null) this.#firstToken.observe(labels, seconds);
          else this.#interToken.observe(labels, seconds - lastSeconds);
          if (!hasContent && event.answer !== '') this.#firstContentToken.observe(labels, seconds);
          lastSeconds = seconds;
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
      outcome = outcomeOf(error);
      throw error;
    } finally {
      this.#requests.inc({ model, outcome });
    }
  }

  /** Only trainings that are under way have figures. */
  async #readTrainings(): Promise<void> {
    const all = await readTrainingProgress(this.#trainings);
    const gauges = [this.#trainingStep, this.#trainingTotalSteps, this.#trainingLoss, this.#trainingTokensPerSecond, this.#trainingEta];
    for (const gauge of gauges) gauge.reset();
    for (const { run, progress } of all) {
      this.#trainingStep.set({ run }, progress.step);
      this.#trainingTotalSteps.set({ run }, progress.totalSteps);
      this.#trainingLoss.set({ run }, progress.loss);
      if (progress.tokensPerSecond !== null) this.#trainingTokensPerSecond.set({ run }, progress.tokensPerSecond);
      if (progress.etaSeconds !== null) this.#trainingEta.set({ run }, progress.etaSeconds);
    }
  }

  async #readEvaluations(): Promise<void> {
    const all = await this.#evaluations();
    for (const gauge of [this.#evaluationDone, this.#evaluationPlanned]) gauge.reset();
    for (const { evaluation, done, total } of all) {
      this.#evaluationDone.set({ evaluation }, done);
      this.#evaluationPlanned.set({ evaluation }, total);
    }
  }

  #counter<T extends string>(name: string, help: string, labels: readonly T[]): Counter<T> {
    return new Counter({ name: `osler_${name}`, help, labelNames: labels, registers: [this.registry] });
  }

  #histogram(name: string, help: string, buckets = durationBuckets): Histogram<'model'> {
    return new Histogram({ name: `osler_${name}`, help, labelNames, registers: [this.registry], buckets });
  }

  #gauge<T extends string>(name: string, help: string, labels: readonly T[]): Gauge<T> {
    return new Gauge({ name: `osler_${name}`, help, labelNames: labels, registers: [this.registry] });
  }

  #trainingGauge(name: string, help: string): Gauge<'run'> {
    return this.#gauge(`training_${name}`, `${help}, of a training under way`, ['run']);
  }

  #evaluationGauge(name: string, help: string): Gauge<'evaluation'> {
    return this.#gauge(`evaluation_${name}`, `${help}, of an evaluation under way`, ['evaluation']);
  }

  #modelGauge(models: ServedModels, name: string, help: string, read: (model: ServedModel) => number): void {
    new Gauge({
      name: `osler_${name}`,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        for (const model of models.list()) this.set({ model: model.name }, read(model));
      },
    });
  }
}

function outcomeOf(error: unknown): RequestOutcome {
  if (error instanceof Error && error.name === 'AbortError') return 'cancelled';
  return isOslerError(error) && refusalCodes.has(error.code) ? 'refused' : 'error';
}
