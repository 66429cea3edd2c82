import { setTimeout as sleep } from 'node:timers/promises';
import { isOslerError, OSLER_ERR_UPSTREAM_FAILED } from '../../core/errors.ts';
import { readSse } from './sse-events.ts';
import { failureOfNetwork, failureOfResponse, UpstreamFailure } from './upstream-failure.ts';
import type { UpstreamTiming } from './upstream-timing.ts';
import { UpstreamWatch } from './upstream-watch.ts';

export interface UpstreamClientOptions {
  /** Name of the model, for errors. */
  readonly name: string;
  /** Ends in `/v1` as a rule; without a final slash. */
  readonly baseUrl: string;
  readonly apiKey: string | null;
  readonly timing: UpstreamTiming;
  /** Called when a request was given up, so that somebody looks whether the upstream is there. */
  readonly onTrouble?: () => void;
}

/** What is asked, relative to the base address; `root` leaves out its `/v1`. */
export interface UpstreamQuestion {
  readonly path: string;
  readonly at?: 'base' | 'root';
  /** Left out: a GET. */
  readonly body?: Record<string, unknown>;
}

/**
 * HTTP to one upstream: key, time-outs, retries with back-off, streams.
 *
 * Redirects are not followed: the key and the prompts go to the address that the operator named and to no other.
 * Errors carry no content of requests or answers.
 */
export class UpstreamClient {
  readonly #options: UpstreamClientOptions;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: UpstreamClientOptions) {
    const { apiKey, ...rest } = options;
    this.#options = { ...rest, apiKey: apiKey === null ? null : '(set)' };
    this.#headers = { 'content-type': 'application/json', ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }) };
  }

  /** A small question with a JSON answer. Throws OSLER_ERR_UPSTREAM_FAILED, _REFUSED and the signal's reason. */
  async ask(question: UpstreamQuestion, options: { signal?: AbortSignal; timeoutMs?: number } = {}): Promise<unknown> {
    const { signal } = options;
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.askOnce(question, options);
      } catch (error) {
        await this.#pauseOrThrow(error, { failures, retries: this.#options.timing.retries, signal });
      }
    }
  }

  /** As `ask`, without retries. Throws UpstreamFailure in place of OSLER_ERR_UPSTREAM_FAILED. */
  async askOnce(question: UpstreamQuestion, options: { signal?: AbortSignal; timeoutMs?: number } = {}): Promise<unknown> {
    const { signal, timeoutMs = this.#options.timing.askMs } = options;
    const watch = new UpstreamWatch(signal, timeoutMs);
    try {
      const response = await this.#open(question, watch);
      return parseJson(await response.text());
    } catch (error) {
      signal?.throwIfAborted();
      throw failureOf(error);
    } finally {
      watch.end();
    }
  }

  /**
   * A streamed answer, chunk by chunk; leaving the loop closes the connection, which is how an upstream learns of a cancel.
   * It is tried again only until `isToken` finds one: after that the client of the answer has seen it.
   * A stream that stops without a chunk that `isEnd` knows has broken off.
   */
  async *stream<Chunk>(
    question: UpstreamQuestion,
    options: {
      signal: AbortSignal;
      read: (data: string) => Chunk;
      isToken: (chunk: Chunk) => boolean;
      isEnd: (chunk: Chunk) => boolean;
    },
  ): AsyncGenerator<Chunk, void> {
    const { retries } = this.#options.timing;
    for (let failures = 1; ; failures += 1) {
      let hasToken = false;
      let hasEnd = false;
      try {
        for await (const data of this.#streamOnce(question, options.signal)) {
          const chunk = options.read(data);
          hasToken ||= options.isToken(chunk);
          hasEnd ||= options.isEnd(chunk);
          yield chunk;
        }
        if (hasEnd) return;
        throw new UpstreamFailure('its answer broke off', { isTransient: true });
      } catch (error) {
        await this.#pauseOrThrow(error, { failures, retries: hasToken ? 0 : retries, signal: options.signal });
      }
    }
  }

  async *#streamOnce(question: UpstreamQuestion, signal: AbortSignal): AsyncGenerator<string, void> {
    const { firstByteMs, idleMs } = this.#options.timing;
    const watch = new UpstreamWatch(signal, firstByteMs);
    try {
      const response = await this.#open(question, watch);
      if (response.body === null) throw new UpstreamFailure('its answer is empty');
      for await (const data of readSse(watch.feedBy(response.body, idleMs))) {
        if (data === '[DONE]') return;
        yield data;
      }
    } finally {
      watch.end();
    }
  }

  async #open(question: UpstreamQuestion, watch: UpstreamWatch): Promise<Response> {
    const { baseUrl, name } = this.#options;
    const { path, at = 'base', body } = question;
    const response = await fetch(`${at === 'base' ? baseUrl : baseUrl.replace(/\/v1$/, '')}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: this.#headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'manual',
      signal: watch.signal,
    });
    if (response.ok) return response;
    throw await failureOfResponse(name, response, this.#options.apiKey !== null);
  }

  async #pauseOrThrow(error: unknown, state: { failures: number; retries: number; signal: AbortSignal | undefined }): Promise<void> {
    const { failures, retries, signal } = state;
    signal?.throwIfAborted();
    const failure = failureOf(error);
    if (!(failure instanceof UpstreamFailure)) throw failure;
    const { name, onTrouble, timing } = this.#options;
    const giveUp = (addition: string): never => {
      onTrouble?.();
      throw new OSLER_ERR_UPSTREAM_FAILED(name, failure.message + addition);
    };
    if (!failure.isTransient || retries === 0) giveUp('');
    if (failures > retries) giveUp(`, tried ${failures} times`);
    if (failure.askedPauseMs > timing.longestPauseMs) giveUp(`, and asks to wait ${Math.ceil(failure.askedPauseMs / 1000)} s`);
    // Spread by a half, so that requests that failed together do not return together.
    const backOffMs = Math.min(timing.firstPauseMs * 2 ** (failures - 1), timing.longestPauseMs) * (0.5 + Math.random());
    try {
      await sleep(Math.max(backOffMs, failure.askedPauseMs), undefined, signal === undefined ? {} : { signal });
    } catch (interruption) {
      signal?.throwIfAborted();
      throw interruption;
    }
  }
}

/** Errors of the catalogue are about the request and stay; all else is about the connection. */
function failureOf(error: unknown): Error {
  return isOslerError(error) ? error : failureOfNetwork(error);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UpstreamFailure('its answer is no JSON', { status: 200 });
  }
}
