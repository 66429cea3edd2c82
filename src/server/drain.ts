import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The way down of a server: from `begin` on it takes no new work, and `idle` says when what runs has come to its end.
 * Counts answers; whatever else runs is short.
 */
export class Drain {
  readonly #began = new AbortController();
  readonly #timeUp = new AbortController();
  #running = 0;
  #isIdle = Promise.withResolvers<void>();

  get isDraining(): boolean {
    return this.#began.signal.aborted;
  }

  /** Aborts when draining begins: for what waits for nothing in particular, such as a stream of a training's events. */
  get signal(): AbortSignal {
    return this.#began.signal;
  }

  /** Aborts when what still runs has had its time, and is cut off. */
  get timeUp(): AbortSignal {
    return this.#timeUp.signal;
  }

  /** Answers that are under way. */
  get running(): number {
    return this.#running;
  }

  begin(): void {
    this.#began.abort();
  }

  /** Counts a piece of work until the function it gives is called. */
  enter(): () => void {
    this.#running += 1;
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      this.#running -= 1;
      if (this.#running > 0) return;
      this.#isIdle.resolve();
      this.#isIdle = Promise.withResolvers();
    };
  }

  /** Resolves when nothing runs, true; or when the time is up, false. */
  async idle(limitMs: number): Promise<boolean> {
    const timer = new AbortController();
    const late = sleep(limitMs, false, { signal: timer.signal }).catch(() => false);
    try {
      while (this.#running > 0) {
        if (await Promise.race([this.#isIdle.promise.then(() => true), late])) continue;
        // Later, so that the caller can count what is cut off.
        setImmediate(() => this.#timeUp.abort());
        return false;
      }
      return true;
    } finally {
      timer.abort();
    }
  }
}
