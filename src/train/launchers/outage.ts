import { type Patience, waitMs } from './patience.ts';

/**
 * A connection that comes and goes while a run is followed. A lost connection says nothing about the trainer, so the
 * follower waits, tries again ever more rarely, and never gives up; it is told once when it begins and once when it ends.
 */
export class Outage {
  readonly #patience: Patience;
  readonly #tell: (message: string) => void;
  #failures = 0;
  #nextTryAt = 0;

  constructor(patience: Patience, tell: (message: string) => void) {
    this.#patience = patience;
    this.#tell = tell;
  }

  /** Whether it is time to try. */
  get isDue(): boolean {
    return performance.now() >= this.#nextTryAt;
  }

  failed(reason: string): void {
    this.#failures += 1;
    this.#nextTryAt = performance.now() + waitMs(this.#patience, this.#failures);
    if (this.#failures === 1) this.#tell(`${reason} The trainer goes on there by itself; trying again.`);
  }

  succeeded(): void {
    if (this.#failures > 0) this.#tell('The host can be reached again.');
    this.#failures = 0;
    this.#nextTryAt = 0;
  }
}
