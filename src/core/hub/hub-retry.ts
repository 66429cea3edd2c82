import { setTimeout as pause } from 'node:timers/promises';
import { type HubAccess, hubFailure, throwIfInterrupted } from './hub-session.ts';

/** A failure that may pass: the line, the time-out, 5xx, 429. Never leaves this folder. */
export class TransientFailure extends Error {
  /** What the server asked to wait, or 0. */
  readonly askedPauseMs: number;

  constructor(message: string, askedPauseMs = 0) {
    super(message);
    this.askedPauseMs = askedPauseMs;
  }
}

/** Ends one attempt on silence or on the user's wish; `feed` on every sign of life. */
export interface Watchdog {
  readonly signal: AbortSignal;
  feed(): void;
}

/**
 * Runs an attempt until it succeeds, pausing twice as long each time, or as long as the server asks.
 *
 * @param hasProgressed whether the last attempt moved on, so that a long download over a poor line is not given up
 * @throws OSLER_ERR_HUB_FAILED (OSLER_ERR_HUB_PUSH) once the retries are used up, OSLER_ERR_INTERRUPTED, and what the attempt throws for good
 */
export async function withRetries<T>(
  session: HubAccess,
  attempt: (watchdog: Watchdog) => Promise<T>,
  hasProgressed: () => boolean = () => false,
): Promise<T> {
  const { retries, firstPauseMs, longestPauseMs, idleTimeoutMs } = session.timing;
  for (let failures = 1; ; failures += 1) {
    throwIfInterrupted(session);
    try {
      return await watched(session.signal, idleTimeoutMs, attempt);
    } catch (error) {
      throwIfInterrupted(session);
      if (!(error instanceof TransientFailure)) throw error;
      if (hasProgressed()) failures = 1;
      if (failures > retries)
        throw hubFailure(
          session,
          `${error.message} (tried ${failures} times). Check the line and ${session.endpoint}, then run the same command again: it goes on from there.`,
        );
      if (error.askedPauseMs > longestPauseMs)
        throw hubFailure(
          session,
          `${error.message}, and it asks to wait ${Math.ceil(error.askedPauseMs / 1000)} s. Run the same command again then.`,
        );
      // Spread by a quarter, so that machines that failed together do not return together.
      const backOffMs = firstPauseMs * 2 ** (failures - 1) * (0.75 + Math.random() / 2);
      // An abort ends the pause by throwing; the check at the top of the loop then says it in the catalogue's words.
      await pause(Math.max(backOffMs, error.askedPauseMs), undefined, session.signal === undefined ? {} : { signal: session.signal }).catch(
        () => undefined,
      );
    }
  }
}

async function watched<T>(outer: AbortSignal | undefined, idleTimeoutMs: number, attempt: (watchdog: Watchdog) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(outer?.reason);
  const timer = setTimeout(() => controller.abort(new Error(`nothing arrived for ${idleTimeoutMs / 1000} s`)), idleTimeoutMs);
  outer?.addEventListener('abort', stop, { once: true });
  try {
    return await attempt({ signal: controller.signal, feed: () => void timer.refresh() });
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', stop);
    // Closes the connection of an attempt that gave up in the middle of a body.
    controller.abort();
  }
}
