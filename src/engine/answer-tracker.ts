import { StopMatcher } from './stop-matcher.ts';
import { type SplitText, type ThoughtClosed, ThoughtSplitter, type ThoughtTags } from './thought-splitter.ts';

export interface AnswerTrackerOptions {
  readonly isPreopened: boolean;
  readonly isThinkingEnabled?: boolean;
  readonly tags?: ThoughtTags;
  readonly stop?: readonly string[];
  /** `content`: stop strings are looked for in the answer only; `all`: in the thought too. */
  readonly stopScope?: 'content' | 'all';
}

const nothing: SplitText = { thought: '', answer: '' };

/**
 * Follows one generation: splits its text, applies stop strings and counts tokens.
 * Every engine uses this one, so that all of them separate alike.
 */
export class AnswerTracker {
  readonly #splitter: ThoughtSplitter;
  readonly #stops: StopMatcher;
  readonly #stopScope: 'content' | 'all';
  #rawText = '';
  #isRawTextCut = false;
  #takenRawLength = 0;
  #completionTokens = 0;
  #reasoningTokens = 0;

  constructor(options: AnswerTrackerOptions) {
    this.#splitter = new ThoughtSplitter(options);
    this.#stops = new StopMatcher(options.stop ?? []);
    this.#stopScope = options.stopScope ?? 'content';
  }

  get isInThought(): boolean {
    return this.#splitter.isInThought;
  }

  get isStopped(): boolean {
    return this.#stops.isStopped;
  }

  get closed(): ThoughtClosed {
    return this.#splitter.closed;
  }

  get completionTokens(): number {
    return this.#completionTokens;
  }

  /** Tokens of the thought, up to and including the closing tag. */
  get reasoningTokens(): number {
    return this.#reasoningTokens;
  }

  /** All generated text as it came, tags included, up to a stop string. */
  get rawText(): string {
    return this.#rawText;
  }

  /** The raw text since the last call, as far as no stop string can still begin in it. */
  takeRaw(): string {
    const certain = this.#rawText.slice(this.#takenRawLength, this.isStopped ? undefined : this.#rawText.length - this.#stops.heldLength);
    this.#takenRawLength += certain.length;
    return certain;
  }

  /** Takes the text of the next `tokenCount` tokens. */
  push(text: string, tokenCount: number): SplitText {
    const before = { isInThought: this.isInThought, closed: this.closed };
    if (!this.isStopped) this.#rawText += text;
    this.#completionTokens += tokenCount;
    const split = this.#pushText(text);
    this.#cutRawText(text.length);
    // A thought comes first, so all tokens so far are its own, those of an opening tag in pieces too.
    if (before.isInThought || before.closed !== this.closed) this.#reasoningTokens = this.#completionTokens;
    return split;
  }

  /** Closes the thought from outside with tokens that were forced, which count as thought. */
  forceClose(how: 'budget' | 'client', forcedText: string, tokenCount: number, message = ''): SplitText {
    this.#rawText += forcedText;
    this.#completionTokens += tokenCount;
    this.#reasoningTokens += tokenCount;
    // What was held for a stop string was generated inside the thought.
    const held = this.#stopScope === 'all' ? this.#splitter.push(this.#stops.end()) : nothing;
    return join(held, this.#splitter.forceClose(how, message));
  }

  /** The generation is over: gives what was held back. */
  end(): SplitText {
    if (this.#stopScope === 'all') {
      const before = this.#splitter.push(this.#stops.end());
      return join(before, this.#splitter.end());
    }
    const rest = this.#splitter.end();
    const answer = this.#stops.push(rest.answer);
    return { thought: rest.thought, answer: answer + this.#stops.end() };
  }

  /** The raw text ends where the answer does: before the stop string. */
  #cutRawText(addedLength: number): void {
    const { matched } = this.#stops;
    if (matched === undefined || this.#isRawTextCut) return;
    this.#isRawTextCut = true;
    const place = this.#rawText.indexOf(matched, Math.max(0, this.#rawText.length - addedLength - matched.length));
    if (place >= 0) this.#rawText = this.#rawText.slice(0, place);
  }

  #pushText(text: string): SplitText {
    if (this.isStopped) return nothing;
    if (this.#stopScope === 'all') return this.#splitter.push(this.#stops.push(text));
    const split = this.#splitter.push(text);
    return { thought: split.thought, answer: this.#stops.push(split.answer) };
  }
}

function join(a: SplitText, b: SplitText): SplitText {
  return { thought: a.thought + b.thought, answer: a.answer + b.answer };
}
