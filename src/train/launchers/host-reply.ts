import { z } from 'zod';

/** Line before the reply; must equal MARKER of python/osler_trainer/host.py. */
const marker = 'OSLER-HOST-1\n';

const Failure = z.object({ error: z.string(), message: z.string() });

/** A failure that the host tells of, such as a full disk. */
export class HostFailure extends Error {
  readonly kind: string;

  constructor(kind: string, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Takes the host's output apart as it comes: whatever a login script prints, the marker, a line of JSON, then raw bytes. */
export class HostReply {
  #head = Buffer.alloc(0);
  #reply: unknown;

  /** The reply's line, once it is complete; throws HostFailure where it tells of one. */
  get reply(): unknown {
    const failure = Failure.safeParse(this.#reply);
    if (failure.success) throw new HostFailure(failure.data.error, failure.data.message);
    return this.#reply;
  }

  get isComplete(): boolean {
    return this.#reply !== undefined;
  }

  /** @returns the raw bytes in this piece of output */
  take(chunk: Buffer): Buffer {
    if (this.isComplete) return chunk;
    this.#head = Buffer.concat([this.#head, chunk]);
    const start = this.#head.indexOf(marker);
    const end = start < 0 ? -1 : this.#head.indexOf('\n', start + marker.length);
    if (end < 0) return Buffer.alloc(0);
    this.#reply = JSON.parse(this.#head.toString('utf8', start + marker.length, end));
    const rest = this.#head.subarray(end + 1);
    this.#head = Buffer.alloc(0);
    return rest;
  }
}
