import { UpstreamFailure } from './upstream-failure.ts';

/** Far beyond any chunk of an answer, log-probabilities included. */
const maxLineCharacters = 8 << 20;

/**
 * Reads the data of server-sent events (WHATWG HTML, section 9.2.6), however the bytes are cut.
 *
 * A field `error`, which older llama-servers send in place of `data`, comes out as `{"error": …}`.
 *
 * @throws UpstreamFailure on a line that is too long to be true
 */
export async function* readSse(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  const lines = new LineCutter();
  const events = new EventCollector();
  for await (const piece of bytes) {
    for (const line of lines.push(decoder.decode(piece, { stream: true }))) yield* events.take(line);
  }
  // The specification drops an event without its blank line; servers that end so have still said it.
  for (const line of [...lines.end(decoder.decode()), '']) yield* events.take(line);
}

/** Cuts text into lines at LF, CRLF and CR. */
class LineCutter {
  /** The begun line; joined at its end only, so that a long one in small pieces costs no more than another. */
  #pieces: string[] = [];
  #length = 0;
  #heldReturn = '';

  *push(text: string): Generator<string, void> {
    const all = this.#heldReturn + text;
    // A CR at the end may be the first half of a CRLF.
    this.#heldReturn = all.endsWith('\r') ? '\r' : '';
    const certain = all.slice(0, all.length - this.#heldReturn.length);
    let start = 0;
    for (const match of certain.matchAll(/\r\n|\n|\r/g)) {
      yield this.#finish(certain.slice(start, match.index));
      start = match.index + match[0].length;
    }
    this.#pieces.push(certain.slice(start));
    this.#length += certain.length - start;
    if (this.#length > maxLineCharacters) throw new UpstreamFailure(`it sent a line of more than ${maxLineCharacters} characters`);
  }

  *end(text: string): Generator<string, void> {
    yield* this.push(text);
    yield this.#finish('');
  }

  #finish(text: string): string {
    const line = this.#pieces.join('') + text;
    this.#pieces = [];
    this.#length = 0;
    return line;
  }
}

/** Joins the data lines of each event. */
class EventCollector {
  #data: string[] = [];

  *take(line: string): Generator<string, void> {
    if (line === '') {
      if (this.#data.length > 0) yield this.#data.join('\n');
      this.#data = [];
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.#data.push(value);
    else if (field === 'error') this.#data.push(`{"error":${value}}`);
  }
}
