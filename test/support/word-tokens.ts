/** A tokenizer for tests: a word with the spaces after it is a token; numbers are given out as words come. Number 0 is `<s>`. */
export class WordTokens {
  readonly #words: string[] = ['<s>'];
  readonly #ids = new Map<string, number>();

  encode(text: string): number[] {
    return (text.match(/^\s+|\S+\s*/g) ?? []).map((word) => {
      const known = this.#ids.get(word);
      if (known !== undefined) return known;
      this.#ids.set(word, this.#words.length);
      return this.#words.push(word) - 1;
    });
  }

  decode(tokens: readonly number[]): string {
    return tokens.map((token) => this.#words[token] ?? '').join('');
  }
}
