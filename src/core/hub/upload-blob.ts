import { type FileHandle, open, stat } from 'node:fs/promises';

const chunkBytes = 1 << 18;

/** A file as it was when it was chosen for upload. */
interface Source {
  readonly file: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly inode: number;
  /** Called before the reader gets the error. */
  readonly onChange: (file: string) => Error;
}

/**
 * Part of a file on disk as the Blob that the official client takes: read when it is sent, never held, and refused once the
 * file is no longer the one that was chosen (size, time of change, inode).
 *
 * The client's own `FileBlob` is not exported, and sends whatever the file holds by then.
 */
export class UploadBlob extends Blob {
  readonly #source: Source;
  readonly #start: number;
  readonly #end: number;
  readonly #onBytes: ((bytes: number) => void) | undefined;

  private constructor(source: Source, start: number, end: number, onBytes?: (bytes: number) => void) {
    super([]);
    // An own property, since the types know Blob's getter as one.
    Object.defineProperty(this, 'size', { value: end - start });
    this.#source = source;
    this.#start = start;
    this.#end = end;
    this.#onBytes = onBytes;
  }

  /** @param onChange makes the error for a file that changed */
  static async create(file: string, onChange: Source['onChange']): Promise<UploadBlob> {
    const { size, mtimeMs, ino } = await stat(file).catch(() => {
      throw onChange(file);
    });
    return new UploadBlob({ file, sizeBytes: size, mtimeMs, inode: ino, onChange }, 0, size);
  }

  /** The same bytes, with a word for each piece that was read. */
  watched(onBytes: (bytes: number) => void): UploadBlob {
    return new UploadBlob(this.#source, this.#start, this.#end, onBytes);
  }

  /** Path on this machine. */
  get file(): string {
    return this.#source.file;
  }

  /** First byte of the file that it holds. */
  get start(): number {
    return this.#start;
  }

  override slice(start = 0, end = this.size): UploadBlob {
    return new UploadBlob(this.#source, this.#start + start, Math.min(this.#start + end, this.#end));
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = Buffer.concat(await Array.fromAsync(this.#chunks()));
    // A copy of its own, since small Buffers lie in a shared pool.
    return new Uint8Array(bytes).buffer;
  }

  override async text(): Promise<string> {
    return Buffer.from(await this.arrayBuffer()).toString('utf8');
  }

  override stream(): ReturnType<Blob['stream']> {
    return ReadableStream.from(this.#chunks());
  }

  async *#chunks(): AsyncGenerator<Uint8Array, void> {
    const handle = await open(this.#source.file, 'r').catch(() => {
      throw this.#source.onChange(this.#source.file);
    });
    try {
      await this.#check(handle);
      for (let place = this.#start; place < this.#end;) {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(chunkBytes, this.#end - place)), 0, undefined, place);
        if (bytesRead === 0) throw this.#source.onChange(this.#source.file);
        place += bytesRead;
        this.#onBytes?.(bytesRead);
        yield buffer.subarray(0, bytesRead);
      }
      await this.#check(handle);
    } finally {
      await handle.close();
    }
  }

  async #check(handle: FileHandle): Promise<void> {
    const { size, mtimeMs, ino } = await handle.stat();
    const { sizeBytes, inode, onChange, file } = this.#source;
    if (size !== sizeBytes || mtimeMs !== this.#source.mtimeMs || ino !== inode) throw onChange(file);
  }
}
