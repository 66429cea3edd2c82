import path from 'node:path';
import { z } from 'zod';
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

interface News {
  readonly file: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** One look at a trainer: whether it was alive, and then what its files held beyond those here. */
interface Look {
  readonly at: number;
  readonly isAlive: boolean;
  readonly news: readonly News[];
}

/** Looks at trainers on a host. One request tells both whether a trainer is alive and what it wrote; only `sync` writes here. */
export class SshFollower {
  readonly #host: SshHost;
  readonly #pollMs: number;
  readonly #outage: Outage;
  /** By folder there, until it is used. */
  readonly #looks = new Map<string, Look>();
  readonly #syncing = new Map<string, Promise<void>>();

  /** @param pollMs how long a look at a trainer that is alive stands */
  constructor(host: SshHost, pollMs: number) {
    this.#host = host;
    this.#pollMs = pollMs;
    this.#outage = new Outage(host.options.patience, (message) => host.options.onNotice?.(message));
  }

  /** Whether a trainer runs; once false, `sync` brings the last that it wrote. Throws where the host cannot be reached. */
  async isAlive(trainer: SshTrainer, folder: RunFolder): Promise<boolean> {
    const last = this.#looks.get(trainer.folder);
    if (last?.isAlive === true && this.#isFresh(last)) return true;
    return (await this.#look(trainer, folder)).isAlive;
  }

  /** Brings what was written up to the last `isAlive`, or up to now. Throws where the host cannot be reached. */
  async sync(trainer: SshTrainer, folder: RunFolder): Promise<void> {
    // Two at once would append the same lines twice.
    const running = this.#syncing.get(trainer.folder);
    if (running !== undefined) return await running;
    const syncing = this.#sync(trainer, folder).finally(() => this.#syncing.delete(trainer.folder));
    this.#syncing.set(trainer.folder, syncing);
    await syncing;
  }

  /** What is known of a folder there no longer holds: a trainer starts in it. */
  forget(there: string): void {
    this.#looks.delete(there);
  }

  async #sync(trainer: SshTrainer, folder: RunFolder): Promise<void> {
    const last = this.#looks.get(trainer.folder);
    let look = last !== undefined && this.#isFresh(last) ? last : await this.#look(trainer, folder);
    for (;;) {
      this.#looks.delete(trainer.folder);
      for (const { file, offset, bytes } of look.news)
        if ((await sizeOf(file)) === offset) await appendLines(file, bytes, bytes.length === limitBytes);
      if (look.news.every(({ bytes }) => bytes.length < limitBytes)) return;
      look = await this.#look(trainer, folder);
    }
  }

  async #look(trainer: SshTrainer, folder: RunFolder): Promise<Look> {
    return await this.#outage.bridge(async () => {
      const names = { [eventsName]: folder.events, [logName]: folder.log };
      const files = await Promise.all(
        Object.entries(names).map(async ([name, file]) => ({
          file,
          path: path.posix.join(trainer.folder, name),
          offset: await sizeOf(file),
          limit: limitBytes,
        })),
      );
      const received: Buffer[] = [];
      const request = { op: 'poll', pid: trainer.pid, job: path.posix.join(trainer.folder, jobName), files };
      const polled = await this.#host.ask({ request, reply: Polled, onBytes: (bytes) => void received.push(bytes) });
      let all = Buffer.concat(received);
      const news = files.map(({ file, offset }, index): News => {
        const bytes = all.subarray(0, polled.counts[index]);
        all = all.subarray(polled.counts[index]);
        return { file, offset, bytes };
      });
      const look = { at: performance.now(), isAlive: polled.isAlive, news };
      this.#looks.set(trainer.folder, look);
      return look;
    }, isConnectionFailure);
  }

  #isFresh(look: Look): boolean {
    return performance.now() - look.at < this.#pollMs;
  }
}
