import type { TrainEvent } from '../core/schema/train-event.ts';
import type { TrainingTimes } from './training-times.ts';

const minuteMs = 60_000;

/**
 * Whether a trainer is well, by what it says. One that never sent a heartbeat (a dry run, a trainer that still loads its
 * libraries) may be silent for as long as it likes.
 */
export class TrainerPulse {
  readonly #times: TrainingTimes;
  readonly #now: () => Date;
  #heardMs = performance.now();
  #heardAt: Date;
  #hasHeartbeat = false;
  #idleMs = 0;

  /** @param now wall clock, for messages only */
  constructor(times: TrainingTimes, now: () => Date) {
    this.#times = times;
    this.#now = now;
    this.#heardAt = now();
  }

  hear(event: TrainEvent): void {
    this.excuse();
    this.#hasHeartbeat ||= event.type === 'heartbeat';
    this.#idleMs = event.type === 'heartbeat' ? event.idleSeconds * 1000 : 0;
  }

  /** The silence until now is not the trainer's fault. */
  excuse(): void {
    this.#heardMs = performance.now();
    this.#heardAt = this.#now();
  }

  /** What is wrong with it, to end a sentence that begins with "the trainer"; null: nothing. */
  problem(): string | null {
    if (this.#idleMs > this.#times.idleMs) return `had not finished a step for ${inWords(this.#idleMs)}`;
    const silentMs = performance.now() - this.#heardMs;
    if (!this.#hasHeartbeat || silentMs <= this.#times.silentMs) return null;
    return `had been silent since ${this.#heardAt.toISOString()} (${inWords(silentMs)})`;
  }
}

function inWords(ms: number): string {
  return ms < 2 * minuteMs ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / minuteMs)} min`;
}
