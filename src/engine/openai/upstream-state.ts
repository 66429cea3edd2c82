import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, OSLER_ERR_ENGINE_LOAD, OSLER_ERR_UPSTREAM_FAILED } from '../../core/errors.ts';
import type { EngineState } from '../engine.ts';
import type { UpstreamDescription } from './describe-upstream.ts';
import { UpstreamFailure } from './upstream-failure.ts';
import type { UpstreamTiming } from './upstream-timing.ts';

export interface UpstreamStateOptions {
  /** Name of the model, for errors. */
  readonly name: string;
  readonly timing: UpstreamTiming;
  /** Asks for everything anew. */
  readonly describe: (signal: AbortSignal) => Promise<UpstreamDescription>;
  /** Only looks whether the upstream answers. Throws UpstreamFailure. */
  readonly check: (signal: AbortSignal) => Promise<void>;
}

/**
 * Whether an upstream can be used, by looking at it: at the start until it answers, then from time to time,
 * and at once when a request was given up. `restarting` means that it does not answer and is asked again with growing pauses.
 */
export class UpstreamState {
  readonly #options: UpstreamStateOptions;
  readonly #closing = new AbortController();
  #state: EngineState = { name: 'loading' };
  #description = Promise.withResolvers<UpstreamDescription>();
  #templateSource: string | null = null;
  #losses = 0;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs: number;
  #isLooking = false;

  constructor(options: UpstreamStateOptions) {
    this.#options = options;
    this.#pauseMs = options.timing.firstPauseMs;
    this.#description.promise.catch(() => undefined);
    void this.#start();
  }

  get current(): EngineState {
    return this.#state;
  }

  /** Times that the upstream was lost. */
  get losses(): number {
    return this.#losses;
  }

  /** Aborts when the engine is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Resolves while the upstream can be used. Throws OSLER_ERR_ENGINE_LOAD where it never could. */
  description(): Promise<UpstreamDescription> {
    return this.#description.promise;
  }

  /** Looks at once, since a request was given up. */
  lookNow(): void {
    if (this.#state.name === 'ready') void this.#look();
  }

  close(): void {
    if (this.#state.name === 'closed') return;
    this.#state = { name: 'closed' };
    clearTimeout(this.#timer);
    this.#closing.abort(new OSLER_ERR_UPSTREAM_FAILED(this.#options.name, 'the engine was closed'));
    this.#description.reject(new OSLER_ERR_ENGINE_LOAD(this.#options.name, 'the engine was closed'));
  }

  async #start(): Promise<void> {
    const { name, timing } = this.#options;
    const endMs = performance.now() + timing.startMs;
    for (;;) {
      try {
        this.#arrive(await this.#options.describe(this.closing));
        return;
      } catch (error) {
        if (this.closing.aborted) return;
        // An upstream that answers with a refusal will not change its mind while the start waits.
        const isPassing = error instanceof UpstreamFailure && (isAway(error) || error.isTransient);
        if (!isPassing || performance.now() + this.#pauseMs > endMs) {
          this.#fail(new OSLER_ERR_ENGINE_LOAD(name, `its upstream: ${messageOf(error)}`));
          return;
        }
        await this.#pause(true);
      }
    }
  }

  #arrive(description: UpstreamDescription): void {
    this.#templateSource = description.templateSource;
    this.#state = { name: 'ready' };
    this.#pauseMs = this.#options.timing.firstPauseMs;
    this.#description.resolve(description);
    this.#lookLater();
  }

  #fail(error: Error): void {
    this.#state = { name: 'failed', reason: error.message };
    this.#description.reject(error);
  }

  #lookLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), this.#options.timing.checkMs).unref();
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#options.check(this.closing);
      if (this.#state.name === 'ready') this.#lookLater();
    } catch (error) {
      if (this.#state.name !== 'ready') return;
      if (error instanceof UpstreamFailure && isAway(error)) await this.#waitForReturn();
      else this.#lookLater();
    } finally {
      this.#isLooking = false;
    }
  }

  async #waitForReturn(): Promise<void> {
    const { name } = this.#options;
    this.#state = { name: 'restarting' };
    this.#losses += 1;
    this.#description = Promise.withResolvers();
    this.#description.promise.catch(() => undefined);
    while (this.#state.name === 'restarting') {
      await this.#pause(false);
      const description = await this.#options.describe(this.closing).catch(() => undefined);
      if (description === undefined || this.closing.aborted) continue;
      if (description.templateSource === this.#templateSource) this.#arrive(description);
      else this.#fail(new OSLER_ERR_ENGINE_LOAD(name, 'the upstream came back with another chat template; start again to use it'));
    }
  }

  /** A pause that doubles and ends with the engine. */
  async #pause(ref: boolean): Promise<void> {
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(2 * pauseMs, this.#options.timing.longestPauseMs);
    await sleep(pauseMs, undefined, { signal: this.closing, ref }).catch(() => undefined);
  }
}

/** Whether the upstream, or the server behind a gateway, is not there; any other answer shows that it is. */
function isAway(failure: UpstreamFailure): boolean {
  return failure.status === null || failure.status >= 500;
}
