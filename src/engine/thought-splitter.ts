/** The marks around a thought, matched exactly and case-sensitively. */
export interface ThoughtTags {
  readonly open: string;
  readonly close: string;
}

export const defaultThoughtTags: ThoughtTags = { open: '<think>', close: '</think>' };

/** How a thought ended. `none`: there was no thought to end. */
export type ThoughtClosed = 'model' | 'budget' | 'client' | 'never' | 'none';

/** Text that was added to the two channels by one step; either may be empty. */
export interface SplitText {
  readonly thought: string;
  readonly answer: string;
}

export interface ThoughtSplitterOptions {
  /** The prompt already ends with the opening tag. */
  readonly isPreopened: boolean;
  /** false: the prompt closed the thought, so all text is the answer. */
  readonly isThinkingEnabled?: boolean;
  readonly tags?: ThoughtTags;
}

type State = 'undecided' | 'thought-start' | 'thought' | 'answer-start' | 'answer';

/**
 * Separates the thought from the answer in a stream of text.
 *
 * The result does not depend on how the text is cut into pieces: whatever could still become a tag
 * or trimmed whitespace is held back until that is decided. Rules: `docs/thoughts.md`.
 */
export class ThoughtSplitter {
  #state: State;
  #held = '';
  #hasThoughtText = false;
  #isRepeatSwallowed = true;
  #closed: ThoughtClosed;
  readonly #tags: ThoughtTags;

  constructor(options: ThoughtSplitterOptions) {
    this.#tags = options.tags ?? defaultThoughtTags;
    if (options.isThinkingEnabled === false) this.#state = 'answer';
    else this.#state = options.isPreopened ? 'thought-start' : 'undecided';
    this.#closed = this.isInThought ? 'never' : 'none';
  }

  /** Whether what comes next belongs to a thought. */
  get isInThought(): boolean {
    return this.#state === 'thought-start' || this.#state === 'thought';
  }

  /** How the thought ended so far. */
  get closed(): ThoughtClosed {
    return this.#closed;
  }

  /** Takes the next piece of generated text and gives what is now certain. */
  push(text: string): SplitText {
    this.#held += text;
    let thought = '';
    let answer = '';
    for (let isMoving = true; isMoving;) {
      const before: State = this.#state;
      switch (this.#state) {
        case 'undecided':
          this.#decide();
          break;
        case 'thought-start':
          this.#dropRedundantOpening();
          break;
        case 'thought':
          thought += this.#takeThought();
          break;
        case 'answer-start':
          this.#dropSeparator();
          break;
        case 'answer':
          answer += this.#takeHeld();
          break;
      }
      isMoving = before !== this.#state;
    }
    return { thought, answer };
  }

  /**
   * Ends a running thought from outside: its budget is spent, or the client wants the answer now.
   * A closing tag that the model then repeats is swallowed once. `message` becomes the thought's last words.
   */
  forceClose(how: 'budget' | 'client', message = ''): SplitText {
    if (!this.isInThought) return { thought: '', answer: '' };
    let thought = this.#flushThought();
    if (message !== '') {
      thought += this.#hasThoughtText ? ` ${message}` : message;
      this.#hasThoughtText = true;
    }
    this.#closed = how;
    this.#state = 'answer-start';
    this.#isRepeatSwallowed = false;
    return { thought, answer: '' };
  }

  /** The text is over: gives what was held back, each part to the channel it is in. */
  end(): SplitText {
    if (this.isInThought) return { thought: this.#flushThought(), answer: '' };
    const isSeparator = this.#state === 'answer-start';
    this.#state = 'answer';
    const rest = this.#takeHeld();
    return { thought: '', answer: isSeparator ? rest.trimStart() : rest };
  }

  #takeHeld(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }

  #decide(): void {
    const text = this.#held.trimStart();
    if (text.startsWith(this.#tags.open)) {
      this.#held = text.slice(this.#tags.open.length);
      this.#state = 'thought';
      this.#closed = 'never';
    } else if (!this.#tags.open.startsWith(text)) {
      this.#state = 'answer';
    }
  }

  #dropRedundantOpening(): void {
    const text = this.#held.trimStart();
    if (text.startsWith(this.#tags.open)) this.#held = text.slice(this.#tags.open.length);
    else if (this.#tags.open.startsWith(text)) return;
    this.#state = 'thought';
  }

  #takeThought(): string {
    if (!this.#hasThoughtText) this.#held = this.#held.trimStart();
    const close = this.#held.indexOf(this.#tags.close);
    if (close >= 0) {
      const text = this.#held.slice(0, close).trimEnd();
      this.#held = this.#held.slice(close + this.#tags.close.length);
      this.#closed = 'model';
      this.#state = 'answer-start';
      this.#hasThoughtText ||= text !== '';
      return text;
    }
    const keep = this.#held.length - partialSuffixLength(this.#held, this.#tags.close);
    const text = this.#held.slice(0, keep).trimEnd();
    this.#held = this.#held.slice(text.length);
    this.#hasThoughtText ||= text !== '';
    return text;
  }

  #flushThought(): string {
    const text = this.#takeHeld();
    const trimmed = this.#hasThoughtText ? text.trimEnd() : text.trim();
    this.#hasThoughtText ||= trimmed !== '';
    return trimmed;
  }

  #dropSeparator(): void {
    this.#held = this.#held.trimStart();
    if (!this.#isRepeatSwallowed) {
      if (this.#held.startsWith(this.#tags.close)) {
        this.#held = this.#held.slice(this.#tags.close.length).trimStart();
        this.#isRepeatSwallowed = true;
      } else if (this.#tags.close.startsWith(this.#held)) {
        return;
      }
    }
    if (this.#held !== '') this.#state = 'answer';
  }
}

/** Length of the longest end of `text` that begins `mark` without completing it. */
export function partialSuffixLength(text: string, mark: string): number {
  for (let length = Math.min(mark.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(mark.slice(0, length))) return length;
  }
  return 0;
}
