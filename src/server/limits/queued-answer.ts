import { OSLER_ERR_DRAINING, OSLER_ERR_QUEUE_FULL, OSLER_ERR_QUEUE_TIMEOUT } from '../../core/errors.ts';
import type { EngineEvent } from '../../engine/engine.ts';
import type { Drain } from '../drain.ts';
import { drainRetrySeconds, withRetryAfter } from '../retry-after.ts';
import type { ServedModel } from '../served-model.ts';
import type { AnswerQueues } from './answer-queue.ts';

export interface QueueDeps {
  readonly queues: AnswerQueues;
  readonly drain: Drain;
  /** For a slot. */
  readonly queueTimeoutMs: number;
}

/**
 * Passes the events of a generation on while it keeps the rules of the queue: nothing new while the server drains,
 * and `giveUp`, which must end the generation, for what has no slot in time.
 *
 * @throws OSLER_ERR_DRAINING, OSLER_ERR_QUEUE_FULL and OSLER_ERR_QUEUE_TIMEOUT, each with a time to come again
 */
export async function* queuedAnswer(
  deps: QueueDeps,
  model: ServedModel,
  generation: AsyncIterable<EngineEvent>,
  giveUp: (reason: Error) => void,
): AsyncGenerator<EngineEvent, void> {
  if (deps.drain.isDraining) throw withRetryAfter(new OSLER_ERR_DRAINING(drainRetrySeconds), drainRetrySeconds);
  const queue = deps.queues.of(model);
  const place = queue.enter();
  const leaveDrain = deps.drain.enter();
  let timeout: Error | undefined;
  const timer = setTimeout(() => {
    if (!place.isWaiting()) return;
    const seconds = queue.retryAfterSeconds();
    timeout = withRetryAfter(new OSLER_ERR_QUEUE_TIMEOUT(model.name, deps.queueTimeoutMs / 1000, seconds), seconds);
    giveUp(timeout);
  }, deps.queueTimeoutMs);
  try {
    for await (const event of generation) {
      clearTimeout(timer);
      if (event.type === 'finish') place.finish(event.timings);
      yield event;
    }
  } catch (error) {
    // Engines tell of an abort in words of their own.
    if (timeout !== undefined) throw timeout;
    if (!(error instanceof OSLER_ERR_QUEUE_FULL)) throw error;
    // The engine knows that it is full, but not for how long.
    const seconds = queue.retryAfterSeconds();
    throw withRetryAfter(new OSLER_ERR_QUEUE_FULL(model.name, model.engine.load.waiting, seconds), seconds);
  } finally {
    clearTimeout(timer);
    place.leave();
    leaveDrain();
  }
}
