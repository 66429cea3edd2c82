import { partialSuffixLength } from './thought-splitter.ts';

/** Ends a stream of text before the stop string that is complete first, over piece boundaries too, however the text is cut. */
export class StopMatcher {
  #held = '';
  #matched: string | undefined;
  readonly #stops: readonly string[];

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** The stop string that was met. */
  get matched(): string | undefined {
    return this.#matched;
  }

  /** Whether a stop string was met: all later text is dropped. */
  get isStopped(): boolean {
    return this.#matched !== undefined;
  }

  /** Characters held back, since a stop string may begin in them. */
  get heldLength(): number {
    return this.#held.length;
  }

  /** Gives the part of the text that is certain to stand before any stop string. */
  push(text: string): string {
    if (this.isStopped) return '';
    if (this.#stops.length === 0) return text;
    this.#held += text;
    // Letter by letter, the text ends at the stop string that is complete first; of several that end there, the longest counts.
    const [first] = this.#stops
      .filter((stop) => this.#held.includes(stop))
      .map((stop) => ({ stop, start: this.#held.indexOf(stop), end: this.#held.indexOf(stop) + stop.length }))
      .toSorted((a, b) => a.end - b.end || a.start - b.start);
    if (first !== undefined) {
      this.#matched = first.stop;
      return this.#held.slice(0, first.start);
    }
    const keep = this.#held.length - Math.max(...this.#stops.map((stop) => partialSuffixLength(this.#held, stop)));
    const certain = this.#held.slice(0, keep);
    this.#held = this.#held.slice(keep);
    return certain;
  }

  /** The text is over: gives what was held back. */
  end(): string {
    const text = this.isStopped ? '' : this.#held;
    this.#held = '';
    return text;
  }
}
