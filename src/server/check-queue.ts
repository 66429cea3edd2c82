import type { FastifyReply } from 'fastify';
import { OSLER_ERR_DRAINING, OSLER_ERR_INTERRUPTED } from '../core/errors.ts';
import type { Drain } from './drain.ts';
import { drainRetrySeconds, withRetryAfter } from './retry-after.ts';

/** Checks of trainings, one at a time: each may start a Python and read gigabytes. */
export class CheckQueue {
  readonly #drain: Drain;
  #last: Promise<unknown> = Promise.resolve();

  constructor(drain: Drain) {
    this.#drain = drain;
  }

  /**
   * Does a check for a request, in turn. Its signal aborts when the client leaves, and when the server goes down.
   *
   * @throws OSLER_ERR_INTERRUPTED, OSLER_ERR_DRAINING
   */
  async run<T>(reply: FastifyReply, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const leave = (): void => controller.abort(new OSLER_ERR_INTERRUPTED('The client left.'));
    const drain = (): void => controller.abort(withRetryAfter(new OSLER_ERR_DRAINING(drainRetrySeconds), drainRetrySeconds));
    reply.raw.once('close', leave);
    if (reply.raw.destroyed) leave();
    this.#drain.signal.addEventListener('abort', drain, { once: true });
    const check = this.#last.then(async () => {
      controller.signal.throwIfAborted();
      return await work(controller.signal);
    });
    this.#last = check.catch(() => undefined);
    try {
      return await check;
    } finally {
      this.#drain.signal.removeEventListener('abort', drain);
    }
  }
}
