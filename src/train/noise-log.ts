const quotedCharacters = 200;

/** Counts what a trainer wrote to its stdout that is no event, and keeps the first of it for a message. */
export class NoiseLog {
  #count = 0;
  #first = '';

  readonly add = (line: string): void => {
    if (this.#count === 0) this.#first = quotable(line);
    this.#count += 1;
  };

  /** In a sentence; empty where there was nothing. */
  describe(): string {
    if (this.#count === 0) return '';
    const what = this.#count === 1 ? '1 line that is no event' : `${this.#count} lines that are no events, the first`;
    return `It wrote ${what}: "${this.#first}".`;
  }
}

/** Cut short, on one line, with nothing in it that moves a terminal's cursor or turns text around. */
function quotable(line: string): string {
  const clean = line.replaceAll(/[\p{C}\p{Z}]+/gu, ' ').trim();
  return clean.length > quotedCharacters ? `${clean.slice(0, quotedCharacters)}…` : clean;
}
