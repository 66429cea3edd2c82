import type { AnswerTracker } from '../answer-tracker.ts';
import type { EngineEvent } from '../engine.ts';
import type { SplitText, ThoughtClosed } from '../thought-splitter.ts';

/** Turns what a tracker finds into events: deltas that are never empty, and one `thought-closed`. */
export class AnswerEvents {
  readonly #tracker: AnswerTracker;
  readonly #describeClose: (closed: ThoughtClosed) => ThoughtClosed;
  readonly #readRaw: (raw: string) => string;
  #isCloseReported = false;

  constructor(
    tracker: AnswerTracker,
    options: {
      /** Says how a thought ended, where the upstream ended it. */
      describeClose?: (closed: ThoughtClosed) => ThoughtClosed;
      readRaw?: (raw: string) => string;
    } = {},
  ) {
    this.#tracker = tracker;
    this.#describeClose = options.describeClose ?? ((closed) => closed);
    this.#readRaw = options.readRaw ?? ((raw) => raw);
  }

  push(text: string, tokens: number): EngineEvent[] {
    return this.#eventsOf(this.#tracker.push(text, tokens));
  }

  forceClose(how: 'budget' | 'client', text: string, tokens: number): EngineEvent[] {
    return this.#eventsOf(this.#tracker.forceClose(how, text, tokens));
  }

  /** The text is over. */
  end(): EngineEvent[] {
    return this.#eventsOf(this.#tracker.end(), true);
  }

  #eventsOf(split: SplitText, isEnd = false): EngineEvent[] {
    const events: EngineEvent[] = [];
    if (split.thought !== '' || split.answer !== '') events.push({ type: 'delta', ...split, raw: this.#readRaw(this.#tracker.takeRaw()) });
    const { closed } = this.#tracker;
    if (!this.#isCloseReported && closed !== 'none' && (closed !== 'never' || isEnd)) {
      this.#isCloseReported = true;
      events.push({ type: 'thought-closed', how: this.#describeClose(closed) });
    }
    return events;
  }
}
