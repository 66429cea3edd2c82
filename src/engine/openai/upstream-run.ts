import type { GenerateRequest, Timings } from '../engine.ts';
import type { ThoughtTags } from '../thought-splitter.ts';
import type { UpstreamDescription } from './describe-upstream.ts';
import { readChunk, type UpstreamChunk } from './upstream-chunk.ts';
import type { UpstreamClient } from './upstream-client.ts';
import { failureOfStreamError } from './upstream-failure.ts';

/** What both ways of asking an upstream need for one generation. */
export interface UpstreamRun {
  /** Name of the model, for errors. */
  readonly name: string;
  readonly client: UpstreamClient;
  readonly description: UpstreamDescription;
  readonly request: GenerateRequest;
  readonly tags: ThoughtTags;
  /** Text that closes a thought from outside. */
  readonly closeText: string;
  /** Where the upstream does not say how much it holds. */
  readonly assumedContextTokens: number;
  readonly control: { readonly wantsAnswerNow: boolean };
  readonly signal: AbortSignal;
  readonly clock: RunClock;
}

/** Times of one generation, from its arrival on. */
export class RunClock {
  readonly #arrivedMs = performance.now();
  #admittedMs = this.#arrivedMs;
  #firstTokenMs: number | undefined;

  noteAdmission(): void {
    this.#admittedMs = performance.now();
  }

  noteToken(): void {
    this.#firstTokenMs ??= performance.now();
  }

  timings(): Timings {
    const now = performance.now();
    const first = this.#firstTokenMs ?? now;
    return {
      queueSeconds: (this.#admittedMs - this.#arrivedMs) / 1000,
      promptSeconds: (first - this.#admittedMs) / 1000,
      generationSeconds: (now - first) / 1000,
    };
  }
}

/** Streams an answer's chunks; an error that is reported among them is thrown. */
export function streamChunks(
  run: Pick<UpstreamRun, 'client' | 'name' | 'signal'>,
  path: string,
  body: Record<string, unknown>,
): AsyncGenerator<UpstreamChunk, void> {
  const { client, name, signal } = run;
  return client.stream(
    { path, body },
    {
      signal,
      read: (data) => {
        const chunk = readChunk(data);
        if (chunk.error !== null) throw failureOfStreamError(name, chunk.error);
        return chunk;
      },
      isToken: (chunk) => chunk.text !== '' || chunk.reasoning !== '',
      isEnd: (chunk) => chunk.finishReason !== null,
    },
  );
}
