import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { z } from 'zod';
import { OSLER_ERR_LAUNCHER_UNREACHABLE, OSLER_ERR_LAUNCHER_UNSUITABLE, OSLER_ERR_TOOL_MISSING } from '../../core/errors.ts';
import type { SshLauncher } from '../../core/schema/launcher.ts';
import { trainerSources } from '../python-environment.ts';
import { hostCommand } from './host-command.ts';
import { HostReply } from './host-reply.ts';
import { sshFailedCode, sshFailureOf } from './ssh-failure.ts';
import { sshOptions } from './ssh-options.ts';

const requestTimeoutMs = 60_000;
const keptErrorBytes = 16 << 10;
const program = path.join(trainerSources, 'osler_trainer/host.py');
export interface AskOptions<T extends z.ZodType> {
  readonly request: Readonly<Record<string, unknown>> & { readonly op: string };
  readonly reply: T;
  /** Bytes that follow the request. */
  readonly payload?: AsyncIterable<Buffer> | undefined;
  /** Called in order with the raw bytes that follow the reply; the next piece waits for it. */
  readonly onBytes?: ((bytes: Buffer) => Promise<void> | void) | undefined;
  /** 0: none, for transfers; ssh itself notices a dead connection within 45 s. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Requests to python/osler_trainer/host.py on one host, by the system's ssh; they share one connection. */
export class SshConnection {
  readonly #name: string;
  readonly #settings: SshLauncher;
  readonly #options: readonly string[];
  #code: Promise<string> | undefined;

  /** @param socketFolder private folder with a short path, for the socket of the shared connection */
  constructor(name: string, settings: SshLauncher, socketFolder: string) {
    this.#name = name;
    this.#settings = settings;
    this.#options = sshOptions(settings, socketFolder);
  }

  /**
   * Sends one request and gives its checked reply.
   *
   * @throws OSLER_ERR_LAUNCHER_UNREACHABLE, OSLER_ERR_LAUNCHER_HOST_KEY, OSLER_ERR_LAUNCHER_KEY_REFUSED where ssh fails;
   * OSLER_ERR_LAUNCHER_UNSUITABLE where there is no such Python; HostFailure for what the host itself tells
   */
  async ask<T extends z.ZodType>(options: AskOptions<T>): Promise<z.output<T>> {
    options.signal?.throwIfAborted();
    const child = spawn('ssh', [...this.#options, this.#settings.host, hostCommand(this.#settings.python)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const ended = exitOf(child);
    // Awaited below; until then a failure must not count as unhandled.
    ended.catch(() => undefined);
    let isTimedOut = false;
    const timeoutMs = options.timeoutMs ?? requestTimeoutMs;
    const end = (): void => {
      child.kill('SIGKILL');
      // The shared connection holds copies of these pipes: where it hangs, they would stay open for as long.
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
    };
    const timer = timeoutMs === 0 ? undefined : setTimeout(() => ((isTimedOut = true), end()), timeoutMs);
    options.signal?.addEventListener('abort', end, { once: true });
    try {
      let stderr = '';
      child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-keptErrorBytes)));
      const sending = this.#send(child.stdin, options);
      const reply = new HostReply();
      let failure: unknown;
      try {
        for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
          const bytes = reply.take(chunk);
          if (bytes.length > 0) await options.onBytes?.(bytes);
        }
      } catch (error) {
        // What took the bytes failed, such as a full disk here; or the request was ended by us.
        failure = error;
        end();
      }
      const [code] = await Promise.all([ended, sending]);
      options.signal?.throwIfAborted();
      if (isTimedOut) {
        await this.#dropConnection();
        throw new OSLER_ERR_LAUNCHER_UNREACHABLE(this.#name, 'the host did not answer in time');
      }
      if (failure !== undefined) throw failure;
      if (code !== 0 || !reply.isComplete) throw this.#failureOf(code, stderr);
      return options.reply.parse(reply.reply);
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', end);
      end();
    }
  }

  async #send(stdin: NodeJS.WritableStream, options: AskOptions<z.ZodType>): Promise<void> {
    this.#code ??= readFile(program, 'utf8');
    const line = Buffer.from(`${JSON.stringify({ ...options.request, code: await this.#code })}\n`);
    const { payload } = options;
    async function* parts(): AsyncGenerator<Buffer, void> {
      yield line;
      if (payload !== undefined) yield* payload;
    }
    // A host that has ended its side says why by its reply or exit code.
    await pipeline(Readable.from(parts(), { objectMode: false }), stdin).catch(() => undefined);
  }

  #failureOf(code: number | null, stderr: string): Error {
    if (code === sshFailedCode || code === null) return sshFailureOf(this.#name, this.#settings, stderr);
    const { python } = this.#settings;
    if (code === 126 || code === 127)
      return new OSLER_ERR_LAUNCHER_UNSUITABLE(
        this.#name,
        `there is no Python "${python}" on the host. Install it there, or name another one as "python" in launchers.json.`,
      );
    const said = stderr.trim().split('\n').slice(-3).join('\n');
    return new OSLER_ERR_LAUNCHER_UNSUITABLE(this.#name, `"${python}" failed on the host with exit code ${code}: ${said}`);
  }

  /** A connection that no longer answers would be used by every further request until ssh notices. */
  async #dropConnection(): Promise<void> {
    const child = spawn('ssh', [...this.#options, '-O', 'exit', this.#settings.host], { stdio: 'ignore', timeout: 5000 });
    await exitOf(child).catch(() => undefined);
  }
}

async function exitOf(child: ReturnType<typeof spawn>): Promise<number | null> {
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    return code;
  } catch {
    throw new OSLER_ERR_TOOL_MISSING('ssh', 'reach the hosts of launchers.json', 'On Debian: apt-get install openssh-client');
  }
}
