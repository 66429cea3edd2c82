import { messageOf } from '../core/errors.ts';
import type { TrainerHandle } from '../core/schema/run.ts';
import type { Launcher } from './launchers/launcher.ts';
import type { RunFolder } from './run-folder.ts';
import type { TrainingTimes } from './training-times.ts';

interface LinkOptions {
  readonly launcher: Launcher;
  readonly trainer: TrainerHandle;
  readonly folder: RunFolder;
  readonly times: TrainingTimes;
}

/** A trainer as it is reached through its launcher: asked at most every `syncMs`, and forgiven a connection that fails for a while. */
export class TrainerLink {
  readonly #options: LinkOptions;
  #isGone = false;
  #askedMs = -Infinity;
  #answeredMs = performance.now();
  #problem: string | null = null;
  #stopMs: number | null = null;
  #killMs: number | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Whether the trainer has ended, and all that it wrote is here. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Why the launcher does not answer; null: it does. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Whether it has not answered for too long. */
  get isLost(): boolean {
    return this.#problem !== null && performance.now() - this.#answeredMs > this.#options.times.unreachableMs;
  }

  /** Milliseconds since the trainer was asked to stop; 0 where it was not. */
  get stoppingMs(): number {
    return this.#stopMs === null ? 0 : performance.now() - this.#stopMs;
  }

  /** Whether the trainer still runs, as far as is known. Once it does not, all that it wrote is in the run's files. */
  async isAlive(): Promise<boolean> {
    const { launcher, trainer, folder } = this.#options;
    if (this.#isGone) return false;
    await this.#ask(async () => {
      // In this order: what is written between the two is not lost.
      const isAlive = await launcher.isAlive(trainer, folder);
      await launcher.sync(trainer, folder);
      this.#isGone = !isAlive;
    });
    return !this.#isGone && !this.isLost && !this.#isUnkillable();
  }

  /** The next `isAlive` asks at once. */
  hurry(): void {
    this.#askedMs = -Infinity;
  }

  /** Asks the trainer to save and stop, until that was heard; more calls do nothing. */
  async stop(): Promise<void> {
    if (this.#stopMs !== null || this.#isGone) return;
    await this.#try(async () => {
      await this.#options.launcher.stop(this.#options.trainer);
      this.#stopMs = performance.now();
    });
  }

  /** Ends the trainer at once, likewise. */
  async kill(): Promise<void> {
    if (this.#killMs !== null || this.#isGone) return;
    await this.#try(async () => {
      await this.#options.launcher.kill(this.#options.trainer);
      this.#killMs = performance.now();
      this.hurry();
    });
  }

  /** A process that hangs in the kernel outlives a kill: nobody waits for it for ever. */
  #isUnkillable(): boolean {
    return this.#killMs !== null && performance.now() - this.#killMs > this.#options.times.graceMs;
  }

  async #ask(work: () => Promise<void>): Promise<void> {
    if (performance.now() - this.#askedMs < this.#options.times.syncMs) return;
    await this.#try(work);
    this.#askedMs = performance.now();
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#answeredMs = performance.now();
      this.#problem = null;
    } catch (error) {
      this.#problem = messageOf(error);
    }
  }
}
