import type { z } from 'zod';
import { messageOf, OSLER_ERR_LAUNCHER_DISK, OSLER_ERR_LAUNCHER_UNSUITABLE } from '../../core/errors.ts';
import type { SshLauncher } from '../../core/schema/launcher.ts';
import { HostDescription } from './host-description.ts';
import { HostFailure } from './host-reply.ts';
import { type Patience, retry } from './patience.ts';
import { type AskOptions, SshConnection } from './ssh-connection.ts';
import { isConnectionFailure } from './ssh-failure.ts';
import { ensureSocketFolder } from './ssh-options.ts';

export interface SshHostOptions {
  /** OSLER_HOME: holds the socket of the shared connection. */
  readonly home: string;
  readonly patience: Patience;
  /** For one request that transfers no files; left out: a minute. */
  readonly requestTimeoutMs?: number;
  /** Told of lost connections and of the next try. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/** One host: requests to it, with what fails there told as errors of the catalogue. */
export class SshHost {
  readonly name: string;
  readonly settings: SshLauncher;
  readonly options: SshHostOptions;
  #connection: Promise<SshConnection> | undefined;

  constructor(name: string, settings: SshLauncher, options: SshHostOptions) {
    this.name = name;
    this.settings = settings;
    this.options = options;
  }

  /** What the host is, and which of the packages its Python lacks. */
  async describe(packages: readonly string[], signal?: AbortSignal): Promise<HostDescription> {
    return await this.ask({ request: { op: 'describe', packages, workDir: this.settings.workDir }, reply: HostDescription, signal });
  }

  /**
   * One request, tried once.
   *
   * @throws OSLER_ERR_LAUNCHER_UNREACHABLE, OSLER_ERR_LAUNCHER_HOST_KEY, OSLER_ERR_LAUNCHER_KEY_REFUSED,
   * OSLER_ERR_LAUNCHER_UNSUITABLE, OSLER_ERR_LAUNCHER_DISK
   */
  async ask<T extends z.ZodType>(options: AskOptions<T>): Promise<z.output<T>> {
    this.#connection ??= ensureSocketFolder(this.options.home).then((sockets) => new SshConnection(this.name, this.settings, sockets));
    try {
      return await (await this.#connection).ask({ timeoutMs: this.options.requestTimeoutMs, ...options });
    } catch (error) {
      if (!(error instanceof HostFailure)) throw error;
      if (error.kind === 'diskFull') throw new OSLER_ERR_LAUNCHER_DISK(this.name, error.message);
      throw new OSLER_ERR_LAUNCHER_UNSUITABLE(this.name, `${error.message}.`);
    }
  }

  /** Repeats work that a lost connection broke off; `progress` grows with what was achieved, and renews the patience. */
  async persist<T>(
    work: () => Promise<T>,
    options: { signal?: AbortSignal | undefined; progress?: () => number; patience?: Patience } = {},
  ): Promise<T> {
    return await retry(work, {
      patience: this.options.patience,
      isWorthIt: isConnectionFailure,
      onWait: (error, ms) => this.options.onNotice?.(`${messageOf(error)} Trying again in ${Math.ceil(ms / 1000)} s.`),
      ...options,
    });
  }
}
