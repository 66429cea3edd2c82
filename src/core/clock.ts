/** Time, injectable for tests. */
export interface Clock {
  /** Wall clock. */
  now(): Date;
  /** Seconds of a clock that never jumps, from an arbitrary origin. */
  monotonicSeconds(): number;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicSeconds: () => performance.now() / 1000,
};
