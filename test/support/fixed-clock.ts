import type { Clock } from '../../src/core/clock.ts';

/** A clock that a test sets. */
export class FixedClock implements Clock {
  at: Date;

  constructor(at: string) {
    this.at = new Date(at);
  }

  now(): Date {
    return this.at;
  }

  monotonicSeconds(): number {
    return this.at.getTime() / 1000;
  }
}
