import { OSLER_ERR_INTERRUPTED } from '../core/errors.ts';
import type { RunStore } from './run-store.ts';

/**
 * Turns what is asked of a run, in this process or another, into a signal for whoever works on it. The store is looked at
 * every `pollMs`, until `end`.
 */
export class WishWatch {
  /** Aborts with OSLER_ERR_INTERRUPTED. */
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #runs: RunStore;
  readonly #id: string;
  readonly #timer: NodeJS.Timeout;

  constructor(runs: RunStore, id: string, pollMs: number, outer?: AbortSignal) {
    this.#runs = runs;
    this.#id = id;
    this.signal = outer === undefined ? this.#abort.signal : AbortSignal.any([outer, this.#abort.signal]);
    // Every process that works on a run waits for it anyway; the timer alone must hold none.
    this.#timer = setInterval(() => this.look(), pollMs).unref();
  }

  look(): void {
    const wish = this.#read();
    if (wish === 'cancel') this.#abort.abort(cancelled(this.#id));
    if (wish === 'stop') this.#abort.abort(new OSLER_ERR_INTERRUPTED(`Run "${this.#id}" was stopped. ${howToGoOn(this.#id)}`));
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #read(): ReturnType<RunStore['wishOf']> {
    try {
      return this.#runs.wishOf(this.#id);
    } catch {
      // A store that is busy or full for a moment is looked at again.
      return null;
    }
  }
}

/** What is thrown of a run that somebody cancelled. */
export function cancelled(id: string): Error {
  return new OSLER_ERR_INTERRUPTED(`Run "${id}" was cancelled.`);
}

/** The sentence with the command that takes a run on from where it is. */
export function howToGoOn(id: string): string {
  return `Go on with: npx osler train --resume ${id}`;
}
