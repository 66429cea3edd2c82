import type { ServerFrame } from './frames.ts';

type Delta = Extract<ServerFrame, { type: 'delta' }>;
/** Any frame but a delta. */
export type UntextedFrame = Exclude<ServerFrame, Delta>;

/**
 * Frames of one chat that wait for the socket.
 *
 * Neighbouring deltas become one, so that besides the text there are never more than a handful.
 */
export class PendingFrames {
  readonly #maxChars: number;
  readonly #waiting: { readonly frame: ServerFrame; chars: number }[] = [];
  #chars = 0;
  #nextSeq = 0;
  #taken: PromiseWithResolvers<void> | undefined;

  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  /** Adds a frame; `chars` is what of it counts as text. */
  push(frame: UntextedFrame, chars = 0): void {
    this.#waiting.push({ frame, chars });
    this.#chars += chars;
  }

  /** Adds text; either may be empty. */
  pushText(id: string, thought: string, answer: string): void {
    if (thought === '' && answer === '') return;
    const { delta, place } = this.#deltaFor(id, thought);
    if (thought !== '') delta.reasoning_content = (delta.reasoning_content ?? '') + thought;
    if (answer !== '') delta.content = (delta.content ?? '') + answer;
    place.chars += thought.length + answer.length;
    this.#chars += thought.length + answer.length;
  }

  take(): ServerFrame | undefined {
    const first = this.#waiting.shift();
    this.#chars -= first?.chars ?? 0;
    this.#wake();
    return first?.frame;
  }

  /** Resolves once more text may be added. */
  async room(): Promise<void> {
    while (this.#chars >= this.#maxChars) await this.#nextTake();
  }

  /** Resolves once nothing waits. */
  async empty(): Promise<void> {
    while (this.#waiting.length > 0) await this.#nextTake();
  }

  /** Drops what waits: nobody wants it any more. */
  clear(): void {
    this.#waiting.length = 0;
    this.#chars = 0;
    this.#wake();
  }

  /** The delta that more text goes into: the last frame where it is one, else a new one. */
  #deltaFor(id: string, thought: string): { delta: Delta; place: { chars: number } } {
    const last = this.#waiting.at(-1);
    // A frame's thought is read before its answer: after an answer, a thought needs a frame of its own.
    if (last?.frame.type === 'delta' && (thought === '' || last.frame.content === undefined)) return { delta: last.frame, place: last };
    const delta: Delta = { type: 'delta', id, seq: this.#nextSeq };
    const place = { frame: delta, chars: 0 };
    this.#nextSeq += 1;
    this.#waiting.push(place);
    return { delta, place };
  }

  async #nextTake(): Promise<void> {
    this.#taken ??= Promise.withResolvers();
    await this.#taken.promise;
  }

  #wake(): void {
    this.#taken?.resolve();
    this.#taken = undefined;
  }
}
