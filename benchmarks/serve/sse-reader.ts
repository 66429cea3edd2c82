/** One server-sent event; `event` is empty where the stream names none. */
export interface SseEvent {
  readonly event: string;
  readonly data: string;
}

/** Cuts a stream of text into server-sent events (WHATWG HTML, section 9.2), wherever the pieces were cut on the way. */
export class SseReader {
  #rest = '';
  #event = '';
  #data: string[] = [];

  /** Takes the next piece and gives the events that it completes. */
  push(text: string): SseEvent[] {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#take(line.endsWith('\r') ? line.slice(0, -1) : line));
  }

  #take(line: string): SseEvent[] {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    return [];
  }

  #dispatch(): SseEvent[] {
    const events = this.#data.length === 0 ? [] : [{ event: this.#event, data: this.#data.join('\n') }];
    this.#event = '';
    this.#data = [];
    return events;
  }
}
