const defaultStepBytes = 64 << 20;

export interface NativeGarbageOptions {
  /** Memory that this process has in use, in bytes. */
  readonly readBytes?: () => number;
  /** V8's collector; there with --expose-gc. */
  readonly collect?: (() => void) | undefined;
  /** Growth that is worth a collection. */
  readonly stepBytes?: number;
}

/**
 * Runs V8's collector whenever the process has grown by 64 MiB.
 *
 * node-llama-cpp makes a sampler for every generation, every piece of a prompt, and with log-probabilities for every token. Each
 * holds 12 bytes for every token of the vocabulary (0.6 to 1.5 MB) until its small JavaScript object is collected, and V8, which
 * knows nothing of these bytes, sees no reason to: without this the process grew by 650 MiB in 1,600 short requests.
 */
export class NativeGarbage {
  readonly #readBytes: () => number;
  readonly #collect: (() => void) | undefined;
  readonly #stepBytes: number;
  #baseBytes: number;
  #isCollecting = false;

  constructor(options: NativeGarbageOptions = {}) {
    this.#readBytes = options.readBytes ?? (() => process.memoryUsage.rss());
    this.#collect = 'collect' in options ? options.collect : collector();
    this.#stepBytes = options.stepBytes ?? defaultStepBytes;
    this.#baseBytes = this.#readBytes();
  }

  /** Call between steps; takes some microseconds where there is nothing to do. */
  check(): void {
    const bytes = this.#readBytes();
    if (this.#isCollecting) {
      // Native memory is freed in the turn of the event loop after the collection. What is left is in use.
      this.#isCollecting = false;
      this.#baseBytes = bytes;
    } else if (bytes > this.#baseBytes + this.#stepBytes) {
      this.#collect?.();
      this.#isCollecting = true;
    }
  }
}

function collector(): (() => void) | undefined {
  const { gc } = globalThis;
  return gc === undefined
    ? undefined
    : () => {
        gc();
      };
}
