/** How often things are looked at, and how long they may take, in milliseconds. */
export interface TrainingTimes {
  /** Between two looks at the store or at a file of events. */
  readonly pollMs: number;
  /** Between two looks of a run that waits at the queue; with 100 of them, a look each 200 ms took a quarter of a core. */
  readonly queueMs: number;
  /** Between two questions to a launcher, which may be a connection to another machine. */
  readonly syncMs: number;
  /** A trainer that has sent a heartbeat and then nothing for so long is killed. */
  readonly silentMs: number;
  /** A trainer that has not finished a piece of work for so long, by its own heartbeat, is killed. */
  readonly idleMs: number;
  /** A trainer whose machine has not answered for so long is given up; it is not killed, since it may be well. */
  readonly unreachableMs: number;
  /** From the last word of a trainer, or from its cancellation, to its end; then it is killed. */
  readonly graceMs: number;
}

/** A heartbeat comes every 15 s: twelve of them are missing before a trainer is killed. */
export const defaultTimes: TrainingTimes = {
  pollMs: 200,
  queueMs: 1000,
  syncMs: 1000,
  silentMs: 180_000,
  idleMs: 1_800_000,
  unreachableMs: 1_800_000,
  graceMs: 120_000,
};
