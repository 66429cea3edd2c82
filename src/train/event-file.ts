import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseJson } from '../core/read-json-file.ts';
import { TrainEvent } from '../core/schema/train-event.ts';
import { LineSplitter, type StreamLine } from './line-splitter.ts';

const defaultPollMs = 150;
const readBytes = 256 << 10;

export interface FollowOptions {
  /** Whether something may still be written; once false, the rest is read and the iteration ends. */
  readonly isActive: () => boolean | Promise<boolean>;
  readonly signal?: AbortSignal | undefined;
  /** Skips what earlier tries wrote. */
  readonly fromBytes?: number;
  /** Told of each line that is no event. */
  readonly onNoise?: ((line: string) => void) | undefined;
  /** Called after each look into the file, once its events were given. */
  readonly onLook?: (() => Promise<void>) | undefined;
  readonly pollMs?: number;
  /** A second file of events, from its first on, put in between by their time. */
  readonly notices?: string | undefined;
}

/**
 * The trainer's events from the first on, then live as they are written.
 * The file, not a pipe, is the channel: a trainer outlives the server that began it, and a new server reads it all again.
 * A line that is no event (a half line of a killed trainer, a library's print) is skipped; however much of it there is, a
 * bounded piece is in memory.
 */
export async function* followEvents(file: string, options: FollowOptions): AsyncGenerator<TrainEvent, void> {
  const main = new EventReader(file, options.fromBytes, options.onNoise);
  const beside = options.notices === undefined ? undefined : new EventReader(options.notices);
  const notices: TrainEvent[] = [];
  while (true) {
    const isActive = await options.isActive();
    if (beside !== undefined) for (let more = true; more; more = beside.hasRead) notices.push(...(await beside.read()));
    for (const event of await main.read()) {
      while (notices[0] !== undefined && notices[0].at <= event.at) yield* notices.splice(0, 1);
      yield event;
    }
    if (!main.hasRead) yield* notices.splice(0);
    if (options.signal?.aborted === true) return;
    await options.onLook?.();
    if (main.hasRead) continue;
    if (!isActive) break;
    await sleep(options.pollMs ?? defaultPollMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
  main.end();
}

/** Reads a file of events on, piece by piece. */
class EventReader {
  /** Whether there was something at the last reading. */
  hasRead = false;
  readonly #splitter = new LineSplitter();
  readonly #file: string;
  readonly #onNoise: FollowOptions['onNoise'];
  #offset: number;

  constructor(file: string, fromBytes = 0, onNoise?: FollowOptions['onNoise']) {
    this.#file = file;
    this.#offset = fromBytes;
    this.#onNoise = onNoise;
  }

  /** The events of the next piece. */
  async read(): Promise<TrainEvent[]> {
    const chunk = await readFrom(this.#file, this.#offset);
    this.#offset += chunk.length;
    this.hasRead = chunk.length > 0;
    return this.#splitter.push(chunk).flatMap((line) => this.#take(line) ?? []);
  }

  /** Tells of the half line at the end. */
  end(): void {
    this.#take(this.#splitter.end());
  }

  #take(line: StreamLine): TrainEvent | undefined {
    const event = line.isTooLong ? undefined : parseEvent(line.text);
    if (event === undefined && line.text.trim() !== '') this.#onNoise?.(line.text);
    return event;
  }
}

/** All events written so far. */
export async function readEvents(
  file: string,
  options: Pick<FollowOptions, 'fromBytes' | 'onNoise' | 'notices'> = {},
): Promise<TrainEvent[]> {
  return await Array.fromAsync(followEvents(file, { ...options, isActive: () => false }));
}

/**
 * Ends the half line that a killed trainer may have left, so that the first event of the next one is not glued to it.
 *
 * @returns bytes of the file, where the events of the next trainer begin
 */
export async function endHalfLine(file: string): Promise<number> {
  const handle = await open(file, 'a+');
  try {
    const { size } = await handle.stat();
    if (size === 0) return 0;
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
    if (buffer[0] === 0x0a) return size;
    await handle.write('\n');
    return size + 1;
  } finally {
    await handle.close();
  }
}

/** The event of a line; undefined for one that is none, such as half a line. */
export function parseEvent(line: string): TrainEvent | undefined {
  return line.startsWith('{') ? parseJson(line, TrainEvent) : undefined;
}

/** The next bytes; none where the file ends, or is not there yet. */
async function readFrom(file: string, offset: number): Promise<Buffer> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return Buffer.alloc(0);
  try {
    const { size } = await handle.stat();
    if (size <= offset) return Buffer.alloc(0);
    const buffer = Buffer.alloc(Math.min(readBytes, size - offset));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
