import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { messageOf } from '../../core/errors.ts';
import type { TrainerHandle } from '../../core/schema/run.ts';
import type { RunFolder } from '../run-folder.ts';
import { appendLines, sizeOf } from './appended-file.ts';
import { Outage } from './outage.ts';
import { eventsName, jobName, logName } from './run-names.ts';
import { isConnectionFailure } from './ssh-failure.ts';
import type { SshHost } from './ssh-host.ts';

export type SshTrainer = Extract<TrainerHandle, { kind: 'ssh' }>;

const Polled = z.object({ isAlive: z.boolean(), counts: z.array(z.int()) });
/** Of each file in one request. */
const limitBytes = 4 << 20;

/** Looks at trainers on a host: whether they are alive, and what they wrote since. One request does both. */
export class SshFollower {
  readonly #host: SshHost;
  readonly #pollMs: number;
  readonly #outage: Outage;
  readonly #last = new Map<string, { at: number; isAlive: boolean }>();
  readonly #running = new Map<string, Promise<boolean>>();

  /** @param pollMs least time between two looks at one trainer, however often it is asked for */
  constructor(host: SshHost, pollMs: number) {
    this.#host = host;
    this.#pollMs = pollMs;
    this.#outage = new Outage(host.options.patience, (message) => host.options.onNotice?.(message));
  }

  /** Whether a trainer runs, as of the last `pollMs`; true while the host cannot be reached. Once false, all that it wrote is here. */
  async isAlive(trainer: SshTrainer, folder: RunFolder): Promise<boolean> {
    const last = this.#last.get(trainer.folder);
    if (last !== undefined && (!last.isAlive || performance.now() - last.at < this.#pollMs)) return last.isAlive;
    return await this.#look(trainer, folder);
  }

  /** Brings what was written up to now. */
  async sync(trainer: SshTrainer, folder: RunFolder): Promise<void> {
    const last = this.#last.get(trainer.folder);
    const restMs = last === undefined ? 0 : this.#pollMs - (performance.now() - last.at);
    if (restMs > 0) await sleep(restMs);
    await this.#look(trainer, folder);
  }

  /** What is known of a folder there no longer holds: a trainer starts in it. */
  forget(there: string): void {
    this.#last.delete(there);
  }

  /**
   * Appends what events and log there hold beyond those here, and tells whether the trainer was alive before that.
   *
   * @throws what the host throws, a lost connection included
   */
  async readNews(trainer: SshTrainer, folder: RunFolder): Promise<boolean> {
    const pairs = [
      { here: folder.events, there: path.posix.join(trainer.folder, eventsName) },
      { here: folder.log, there: path.posix.join(trainer.folder, logName) },
    ];
    for (;;) {
      const files = await Promise.all(
        pairs.map(async ({ here, there }) => ({ path: there, offset: await sizeOf(here), limit: limitBytes })),
      );
      const received: Buffer[] = [];
      const request = { op: 'poll', pid: trainer.pid, job: path.posix.join(trainer.folder, jobName), files };
      const polled = await this.#host.ask({ request, reply: Polled, onBytes: (bytes) => void received.push(bytes) });
      const bytes = Buffer.concat(received);
      const [eventBytes = 0, logBytes = 0] = polled.counts;
      await appendLines(folder.events, bytes.subarray(0, eventBytes), eventBytes === limitBytes);
      await appendLines(folder.log, bytes.subarray(eventBytes, eventBytes + logBytes), logBytes === limitBytes);
      if (eventBytes < limitBytes && logBytes < limitBytes) return polled.isAlive;
    }
  }

  /** Looks at one trainer follow each other: two at once would append the same lines twice. */
  async #look(trainer: SshTrainer, folder: RunFolder): Promise<boolean> {
    const running = this.#running.get(trainer.folder);
    if (running !== undefined) return await running;
    const look = this.#lookNow(trainer, folder).finally(() => this.#running.delete(trainer.folder));
    this.#running.set(trainer.folder, look);
    return await look;
  }

  async #lookNow(trainer: SshTrainer, folder: RunFolder): Promise<boolean> {
    if (!this.#outage.isDue) return true;
    try {
      const isAlive = await this.readNews(trainer, folder);
      this.#outage.succeeded();
      this.#last.set(trainer.folder, { at: performance.now(), isAlive });
      return isAlive;
    } catch (error) {
      if (!isConnectionFailure(error)) throw error;
      this.#outage.failed(messageOf(error));
      return true;
    }
  }
}
