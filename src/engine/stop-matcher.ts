import { partialSuffixLength } from './thought-splitter.ts';

/** Ends a stream of text before the first of several stop strings, over piece boundaries too. */
export class StopMatcher {
  #held = '';
  #isStopped = false;
  readonly #stops: readonly string[];

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** Whether a stop string was met: all later text is dropped. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Gives the part of the text that is certain to stand before any stop string. */
  push(text: string): string {
    if (this.#isStopped) return '';
    if (this.#stops.length === 0) return text;
    this.#held += text;
    const places = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((place) => place >= 0);
    if (places.length > 0) {
      this.#isStopped = true;
      return this.#held.slice(0, Math.min(...places));
    }
    const keep = this.#held.length - Math.max(...this.#stops.map((stop) => partialSuffixLength(this.#held, stop)));
    const certain = this.#held.slice(0, keep);
    this.#held = this.#held.slice(keep);
    return certain;
  }

  /** The text is over: gives what was held back. */
  end(): string {
    const text = this.#isStopped ? '' : this.#held;
    this.#held = '';
    return text;
  }
}
