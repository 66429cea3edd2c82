import { UpstreamFailure } from './upstream-failure.ts';

/** Ends one attempt on silence, or when the caller gives up. */
export class UpstreamWatch {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #stop = (): void => this.#controller.abort(this.#outer?.reason);
  #timer: NodeJS.Timeout;

  constructor(outer: AbortSignal | undefined, limitMs: number) {
    this.#outer = outer;
    this.#timer = this.#startTimer(limitMs);
    if (outer?.aborted === true) this.#stop();
    outer?.addEventListener('abort', this.#stop, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Passes bytes on; from the first one on, silence is measured between them. */
  async *feedBy(bytes: AsyncIterable<Uint8Array>, idleMs: number): AsyncGenerator<Uint8Array, void> {
    this.#restart(idleMs);
    for await (const piece of bytes) {
      this.#restart(idleMs);
      yield piece;
    }
  }

  /** Closes the connection, where it is open yet. */
  end(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#stop);
    this.#controller.abort();
  }

  #restart(limitMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = this.#startTimer(limitMs);
  }

  #startTimer(limitMs: number): NodeJS.Timeout {
    return setTimeout(() => this.#controller.abort(new UpstreamFailure(`nothing came for ${limitMs / 1000} s`)), limitMs);
  }
}
