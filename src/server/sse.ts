import { Readable } from 'node:stream';

/** Comments so often keep proxies from cutting a long thought. */
const defaultKeepAliveMs = 15_000;
/** A client that takes nothing for so long, while something waits for it, is gone or does not want it: as on the websocket. */
const defaultStallMs = 30_000;

/** Headers of every server-sent stream. */
export const sseHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // nginx gathers replies otherwise.
  'x-accel-buffering': 'no',
} as const;

/** One event as text. The data must hold no line feed, as JSON does not. */
export function sseBlock(data: string, event?: string): string {
  return event === undefined ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`;
}

/**
 * A stream of blocks, with a comment whenever nothing came for 15 s.
 *
 * Blocks are taken only as fast as the client reads; one that stops reading is cut off. One timer a stream and nothing else a
 * block: on few cores the server competes with the decoder. When the client leaves, the source is closed.
 */
export function sseStream(
  blocks: AsyncIterator<string, unknown, undefined>,
  { keepAliveMs = defaultKeepAliveMs, stallMs = defaultStallMs }: { keepAliveMs?: number; stallMs?: number } = {},
): Readable {
  let isPulling = false;
  /** Since when something waits for the client. */
  let fullSinceMs: number | null = null;
  const timer = setInterval(() => {
    if (fullSinceMs !== null) {
      if (performance.now() - fullSinceMs >= stallMs) stream.destroy();
      // Behind what a slow client has not read yet, a comment keeps nothing alive.
    } else if (stream.readableLength === 0) stream.push(': keep-alive\n\n');
  }, keepAliveMs);
  timer.unref();

  async function pull(): Promise<void> {
    isPulling = true;
    try {
      for (let isWanted = true; isWanted;) {
        const next = await blocks.next();
        if (stream.destroyed) return;
        if (next.done === true) {
          clearInterval(timer);
          stream.push(null);
          return;
        }
        if (next.value === '') continue;
        timer.refresh();
        isWanted = stream.push(next.value);
        if (!isWanted) fullSinceMs = performance.now();
      }
    } catch (error) {
      stream.destroy(error instanceof Error ? error : new Error('the source of a stream failed', { cause: error }));
    } finally {
      isPulling = false;
    }
  }

  const stream = new Readable({
    read() {
      fullSinceMs = null;
      if (!isPulling) void pull();
    },
    destroy(error, done) {
      clearInterval(timer);
      // A source in the middle of its work ends when that is done; nobody waits for it.
      Promise.resolve(blocks.return?.()).catch(() => undefined);
      done(error);
    },
  });
  return stream;
}
