import { setTimeout as sleep } from 'node:timers/promises';

/** Comments so often keep proxies from cutting a long thought. */
const keepAliveMs = 15_000;

/**
 * Encodes values as server-sent events, with a comment line whenever nothing came for 15 s.
 * Back-pressure is the consumer's: nothing is read ahead.
 */
export async function* encodeSse(
  values: AsyncIterable<{ event?: string; data: string }>,
  pauseMs = keepAliveMs,
): AsyncGenerator<string, void> {
  const iterator = values[Symbol.asyncIterator]();
  let pending = iterator.next();
  try {
    while (true) {
      const timer = new AbortController();
      const idle = sleep(pauseMs, 'idle' as const, { signal: timer.signal, ref: false }).catch(() => 'idle' as const);
      const first = await Promise.race([pending, idle]);
      timer.abort();
      if (first === 'idle') {
        yield ': keep-alive\n\n';
        continue;
      }
      if (first.done === true) return;
      const { event, data } = first.value;
      yield `${event === undefined ? '' : `event: ${event}\n`}data: ${data}\n\n`;
      pending = iterator.next();
    }
  } finally {
    await iterator.return?.();
  }
}
