import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { TrainEvent } from '../core/schema/train-event.ts';

const pollMs = 150;

export interface FollowOptions {
  /** Whether something may still be written; once false, the rest is read and the iteration ends. */
  readonly isActive: () => boolean | Promise<boolean>;
  readonly signal?: AbortSignal | undefined;
  /** Skips what earlier tries wrote. */
  readonly fromBytes?: number;
}

/**
 * The trainer's events from the first on, then live as they are written.
 * The file, not a pipe, is the channel: a trainer outlives the server that began it, and a new server reads it all again.
 * A line that is no event (a half line of a killed trainer) is skipped.
 */
export async function* followEvents(file: string, options: FollowOptions): AsyncGenerator<TrainEvent, void> {
  let offset = options.fromBytes ?? 0;
  let rest = '';
  while (true) {
    const isActive = await options.isActive();
    const chunk = await readFrom(file, offset);
    offset += chunk.length;
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = parseEvent(line);
      if (event !== undefined) yield event;
    }
    if (options.signal?.aborted === true) return;
    if (!isActive && chunk.length === 0) return;
    if (chunk.length === 0) await sleep(pollMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

/** All events written so far. */
export async function readEvents(file: string): Promise<TrainEvent[]> {
  return await Array.fromAsync(followEvents(file, { isActive: () => false }));
}

function parseEvent(line: string): TrainEvent | undefined {
  if (line.trim() === '') return undefined;
  try {
    const parsed = TrainEvent.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Whole lines only, so that no character is cut in two. */
async function readFrom(file: string, offset: number): Promise<Buffer> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return Buffer.alloc(0);
  try {
    const { size } = await handle.stat();
    if (size <= offset) return Buffer.alloc(0);
    const buffer = Buffer.alloc(size - offset);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
    const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a);
    return buffer.subarray(0, end + 1);
  } finally {
    await handle.close();
  }
}
