import type { TokenLogprob } from '../engine.ts';

interface PendingToken {
  readonly logprob: TokenLogprob;
  /** Where its text lies in the pending text; tokens that share a character share its place. */
  start: number;
  end: number;
}

/**
 * Finds out which generated tokens made up the answer, so that log-probabilities are told of these and no others: not of a
 * thought, its tags, or the white space that is dropped after them. Text that is held back keeps its tokens waiting.
 */
export class AnswerLogprobs {
  readonly #closeTag: string;
  #tokens: PendingToken[] = [];
  #text = '';
  #hasAnswer = false;

  constructor(closeTag: string) {
    this.#closeTag = closeTag;
  }

  /** Takes generated text and the tokens that it came from: one, or several that share a character. */
  push(text: string, logprobs: readonly TokenLogprob[]): void {
    const start = this.#text.length;
    this.#text += text;
    for (const logprob of logprobs) this.#tokens.push({ logprob, start, end: this.#text.length });
  }

  /** All text so far belongs to a thought. */
  clear(): void {
    this.#tokens = [];
    this.#text = '';
  }

  /** The tokens of the next piece of the answer; one that lies across two pieces comes with the first. */
  take(answer: string): TokenLogprob[] {
    if (answer === '') return [];
    const start = this.#hasAnswer ? 0 : this.#answerStart(answer);
    const end = start + answer.length;
    this.#hasAnswer = true;
    const taken = this.#tokens.filter((token) => token.start < end && token.end > start);
    this.#tokens = this.#tokens
      .filter((token) => token.start >= end)
      .map((token) => ({ ...token, start: token.start - end, end: token.end - end }));
    this.#text = this.#text.slice(end);
    return taken.map(({ logprob }) => logprob);
  }

  /** Where the answer begins: behind a closing tag and white space, which are dropped, or at once. */
  #answerStart(answer: string): number {
    const tag = this.#text.indexOf(this.#closeTag);
    const from = tag >= 0 && !answer.includes(this.#closeTag) ? tag + this.#closeTag.length : 0;
    return Math.max(from, this.#text.indexOf(answer, from));
  }
}
