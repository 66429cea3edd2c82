/** A line longer than this is noise: of a long one, only the beginning is kept. */
export const longestLineBytes = 1 << 20;
const keptBytes = 1024;

/** A line of a stream. Of a line that was too long, `text` is the beginning. */
export interface StreamLine {
  readonly text: string;
  readonly isTooLong: boolean;
}

/** Cuts a stream of bytes into lines, with bounded memory, whatever comes. Lines are decoded whole, so no character is cut in two. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);
  #isTooLong = false;

  /** Lines that are complete with these bytes. */
  push(bytes: Buffer): StreamLine[] {
    const lines: StreamLine[] = [];
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
      this.#add(bytes.subarray(start, end));
      lines.push(this.end());
      start = end + 1;
    }
    this.#add(bytes.subarray(start));
    return lines;
  }

  /** What came after the last line; empty where nothing did. */
  end(): StreamLine {
    const line = { text: this.#rest.toString('utf8'), isTooLong: this.#isTooLong };
    this.#rest = Buffer.alloc(0);
    this.#isTooLong = false;
    return line;
  }

  #add(bytes: Buffer): void {
    if (this.#isTooLong) return;
    this.#isTooLong = this.#rest.length + bytes.length > longestLineBytes;
    // A copy: the caller fills its buffer again.
    const rest = Buffer.concat([this.#rest, bytes.subarray(0, longestLineBytes)]);
    this.#rest = this.#isTooLong ? rest.subarray(0, keptBytes) : rest;
  }
}
