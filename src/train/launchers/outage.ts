import { messageOf } from '../../core/errors.ts';
import { type Patience, waitMs } from './patience.ts';

/**
 * A connection that comes and goes while a run is followed. Whoever follows may ask as often as it likes: between two
 * tries, ever further apart, it gets the last failure again at once. It is told once when an outage begins and when it ends.
 */
export class Outage {
  readonly #patience: Patience;
  readonly #tell: (message: string) => void;
  #failures = 0;
  #nextTryAt = 0;
  #last: unknown;

  constructor(patience: Patience, tell: (message: string) => void) {
    this.#patience = patience;
    this.#tell = tell;
  }

  /** One try, or the failure of the last one where it is too early for another. */
  async bridge<T>(work: () => Promise<T>, isOutage: (error: unknown) => boolean): Promise<T> {
    if (performance.now() < this.#nextTryAt) throw this.#last;
    try {
      const result = await work();
      if (this.#failures > 0) this.#tell('It can be reached again.');
      this.#failures = 0;
      this.#nextTryAt = 0;
      return result;
    } catch (error) {
      if (isOutage(error)) this.#began(error);
      throw error;
    }
  }

  #began(error: unknown): void {
    this.#last = error;
    this.#failures += 1;
    this.#nextTryAt = performance.now() + waitMs(this.#patience, this.#failures);
    if (this.#failures === 1) this.#tell(`${messageOf(error)} The trainer goes on there by itself; trying again.`);
  }
}
