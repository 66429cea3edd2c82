import { setTimeout as sleep } from 'node:timers/promises';
import { isEnded, type Run } from '../core/schema/run.ts';
import type { TrainEvent } from '../core/schema/train-event.ts';

/** What one hears of a run: its trainer's events, and each change of its state or its place in the queue. */
export type RunNews = { readonly kind: 'trainer'; readonly event: TrainEvent } | { readonly kind: 'state'; readonly run: Run };

export interface RunFeedOptions {
  /** Reads the run as it is now. */
  readonly read: () => Run;
  /** The trainer's events from the first on; they end when no more can come. */
  readonly events: AsyncIterator<TrainEvent, void>;
  readonly pollMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A run from its first event to its end; the last news is its final state, unless the signal aborts. */
export async function* runFeed({ read, events, pollMs, signal }: RunFeedOptions): AsyncGenerator<RunNews, void> {
  let told = '';
  const change = (): Run | undefined => {
    const run = read();
    const state = `${run.state} ${run.runsBefore}`;
    // The end is told last, once the events before it were.
    if (state === told || isEnded(run.state)) return undefined;
    told = state;
    return run;
  };
  const pause = async (): Promise<'pause'> => await sleep(pollMs, 'pause' as const, { signal }).catch(() => 'pause' as const);
  let next = events.next();
  for (;;) {
    const changed = change();
    if (changed !== undefined) yield { kind: 'state', run: changed };
    // Where its signal aborts, the events end by themselves, and a pause is none.
    const heard = signal?.aborted === true ? await next : await Promise.race([next, pause()]);
    if (heard === 'pause') continue;
    if (heard.done === true) break;
    yield { kind: 'trainer', event: heard.value };
    next = events.next();
  }
  for (let run = read(); signal?.aborted !== true; run = read()) {
    const changed = change();
    if (changed !== undefined) yield { kind: 'state', run: changed };
    if (isEnded(run.state)) return yield { kind: 'state', run };
    await pause();
  }
}
