import type { EngineEvent, GenerateRequest } from '../engine/engine.ts';
import type { AppDeps } from './app.ts';
import { queuedAnswer } from './limits/queued-answer.ts';
import type { ServedModel } from './served-model.ts';

/** What the encoders (JSON, SSE, websocket) turn into bytes. */
export type AnswerEvent = EngineEvent;

/** One answer on its way: iterate `events` to the end, or call `events.return()` to give up. */
export interface RunningAnswer {
  readonly events: AsyncGenerator<AnswerEvent, void>;
  /** Closes a running thought now, so that the answer begins. */
  answerNow(): void;
}

/** Starts one generation and counts it: the one way from any route to an engine. */
export function answerQuestion(
  deps: Pick<AppDeps, 'metrics' | 'queues' | 'drain' | 'queueTimeoutMs'>,
  model: ServedModel,
  request: GenerateRequest,
  signal: AbortSignal,
): RunningAnswer {
  const late = new AbortController();
  const generation = model.engine.generate(request, AbortSignal.any([signal, late.signal]));
  const events = queuedAnswer(deps, model, generation, (reason) => late.abort(reason));
  return { events: deps.metrics.observe(model.name, events), answerNow: () => generation.answerNow() };
}
