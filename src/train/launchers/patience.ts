import { setTimeout as sleep } from 'node:timers/promises';

/** How long to wait between tries, doubling from `firstMs` to `mostMs`, and after how many fruitless ones to give up. */
export interface Patience {
  readonly firstMs: number;
  readonly mostMs: number;
  readonly tries: number;
}

/** Bridges a restart of the network or the host's sshd: about five minutes of fruitless tries. */
export const defaultPatience: Patience = { firstMs: 1000, mostMs: 60_000, tries: 11 };

/** Enough for a connection that was dropped; for work that can as well be done another day. */
export function briefly(patience: Patience): Patience {
  return { ...patience, tries: Math.min(patience.tries, 3) };
}

/** Milliseconds to wait after so many failures in a row. */
export function waitMs(patience: Patience, failures: number): number {
  return Math.min(patience.mostMs, patience.firstMs * 2 ** Math.max(0, failures - 1));
}

export interface RetryOptions {
  readonly patience: Patience;
  readonly isWorthIt: (error: unknown) => boolean;
  /** Told what failed and when the next try comes. */
  readonly onWait?: ((error: unknown, ms: number) => void) | undefined;
  /** A number that grows with what was achieved: failures count anew when it did. */
  readonly progress?: (() => number) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Repeats work that a lost connection broke off; throws its last error when patience ends. */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  let failures = 0;
  let achieved = options.progress?.() ?? 0;
  for (;;)
    try {
      return await work();
    } catch (error) {
      const now = options.progress?.() ?? 0;
      failures = now > achieved ? 1 : failures + 1;
      achieved = now;
      if (!options.isWorthIt(error) || failures >= options.patience.tries) throw error;
      const ms = waitMs(options.patience, failures);
      options.onWait?.(error, ms);
      await sleep(ms, undefined, { signal: options.signal });
    }
}
