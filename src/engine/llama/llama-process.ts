import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import {
  OSLER_ERR_ENGINE_FAILED,
  OSLER_ERR_ENGINE_LOAD,
  OSLER_ERR_ENGINE_NOT_READY,
  OSLER_ERR_REQUEST_TOO_LONG,
  OSLER_ERR_REQUEST_UNSUPPORTED,
} from '../../core/errors.ts';
import type { EngineEvent, EngineState } from '../engine.ts';
import { type BackendChoice, engineEnvironment } from './backend-choice.ts';
import type { ChildFault, FromChild, LoadedInfo, LoadOptions, Question, ToChild } from './protocol.ts';

const firstBackoffMs = 500;
const maxBackoffMs = 30_000;
const shutdownGraceMs = 5000;
const maxKeptStderr = 4000;

export interface LlamaProcessOptions extends LoadOptions {
  /** Name of the model, for errors. */
  readonly name: string;
}

/** Who runs a generation: gets its events, and its end where it breaks off. */
export interface GenerationSink {
  push(event: EngineEvent): void;
  end(error: Error): void;
}

type Child = ReturnType<typeof startChild>;

/**
 * The process that has a GGUF loaded.
 *
 * When it dies, all it was asked fails with a clear error, it is started again after a pause
 * that doubles from 0.5 s to 30 s, and the state tells the truth meanwhile.
 */
export class LlamaProcess {
  readonly #options: LlamaProcessOptions;
  readonly #sinks = new Map<number, GenerationSink>();
  readonly #replies = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  readonly #stepSizes: number[];
  #child: Child;
  #state: EngineState = { name: 'loading' };
  #ready = Promise.withResolvers<LoadedInfo>();
  #info: LoadedInfo | undefined;
  #nextId = 1;
  #restarts = 0;
  #backoffMs = firstBackoffMs;

  constructor(options: LlamaProcessOptions) {
    this.#options = options;
    this.#stepSizes = options.arms.map(() => 0);
    this.#child = this.#start();
  }

  get state(): EngineState {
    return this.#state;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** Id of the process, or undefined while there is none. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** What was loaded last; undefined before the first load. */
  get info(): LoadedInfo | undefined {
    return this.#info;
  }

  ready(): Promise<LoadedInfo> {
    return this.#ready.promise;
  }

  /** Sequences that an arm's last step had. */
  lastStepSize(arm: number): number {
    return this.#stepSizes[arm] ?? 0;
  }

  /** A number that no other message has. */
  takeId(): number {
    this.#nextId += 1;
    return this.#nextId;
  }

  /** Events of message `id` go to `sink` until `drop`. */
  follow(id: number, sink: GenerationSink): void {
    this.#sinks.set(id, sink);
  }

  drop(id: number): void {
    this.#sinks.delete(id);
  }

  /** Sends a message; a dead child's requests are failed by its exit handler. */
  send(message: ToChild): void {
    const { nodeChildProcess } = this.#child;
    if (nodeChildProcess.connected) nodeChildProcess.send(message, () => undefined);
  }

  /** Asks something that has one answer. Throws OSLER_ERR_ENGINE_NOT_READY and the signal's reason. */
  async ask(question: Question, signal?: AbortSignal): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#state.name !== 'ready') throw new OSLER_ERR_ENGINE_NOT_READY(this.#options.name, this.#state.name);
    const id = this.takeId();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const giveUp = (): void => {
      this.#replies.delete(id);
      this.send({ type: 'cancel', id });
      reject(signal?.reason);
    };
    this.#replies.set(id, { resolve, reject });
    signal?.addEventListener('abort', giveUp, { once: true });
    this.send({ type: 'ask', id, question });
    return await promise.finally(() => signal?.removeEventListener('abort', giveUp));
  }

  async close(): Promise<void> {
    if (this.#state.name === 'closed') return;
    this.#state = { name: 'closed' };
    const child = this.#child;
    this.#failAll('the engine was closed');
    if (child.nodeChildProcess.connected) child.nodeChildProcess.send({ type: 'shutdown' } satisfies ToChild);
    const timer = setTimeout(() => child.kill('SIGKILL'), shutdownGraceMs);
    await child.catch(() => undefined);
    clearTimeout(timer);
  }

  #start(): Child {
    const child = startChild(this.#options.backend);
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-maxKeptStderr);
    });
    child.nodeChildProcess.on('message', (message: unknown) => {
      // Both ends of this pipe are built from the same sources.
      this.#receive(message as FromChild);
    });
    child.then(
      () => this.#died('its process ended'),
      (error: { signal?: string; exitCode?: number }) => this.#died(describeExit(error, stderr)),
    );
    const { name: _name, ...load } = this.#options;
    child.nodeChildProcess.send({ type: 'load', options: load } satisfies ToChild);
    return child;
  }

  #receive(message: FromChild): void {
    switch (message.type) {
      case 'ready':
        this.#state = { name: 'ready' };
        this.#info = message.info;
        this.#ready.resolve(message.info);
        break;
      case 'load-failed':
        this.#loadFailed(message.message);
        break;
      case 'step':
        // Only a real decode shows that the engine works: a crash at the first one must not start it again without pause.
        this.#backoffMs = firstBackoffMs;
        this.#stepSizes[message.arm] = message.size;
        for (const { id, event } of message.events) this.#sinks.get(id)?.push(event);
        break;
      case 'fault': {
        const error = this.#errorOf(message.fault);
        this.#sinks.get(message.id)?.end(error);
        this.#replies.get(message.id)?.reject(error);
        this.#replies.delete(message.id);
        break;
      }
      case 'reply':
        this.#replies.get(message.id)?.resolve(message.value);
        this.#replies.delete(message.id);
        break;
    }
  }

  #loadFailed(reason: string): void {
    // After a restart the dead one's memory may not be free yet: this counts as another death, with its pause.
    if (this.#restarts === 0) this.#giveUp(reason);
    this.#child.kill('SIGKILL');
  }

  #giveUp(reason: string): void {
    this.#state = { name: 'failed', reason };
    this.#ready.reject(new OSLER_ERR_ENGINE_LOAD(this.#options.name, reason));
    this.#ready.promise.catch(() => undefined);
  }

  #errorOf(fault: ChildFault): Error {
    const { name, contextTokens } = this.#options;
    if (fault.code === 'too-long')
      return new OSLER_ERR_REQUEST_TOO_LONG(fault.promptTokens ?? 0, name, this.#info?.contextTokens ?? contextTokens);
    if (fault.code === 'unsupported') return new OSLER_ERR_REQUEST_UNSUPPORTED(fault.parameter ?? 'request', fault.message);
    return new Error(`the engine could not do it: ${fault.message}`);
  }

  #died(reason: string): void {
    if (this.#state.name === 'closed' || this.#state.name === 'failed') {
      this.#failAll(reason);
      return;
    }
    const hasEverLoaded = this.#info !== undefined;
    if (!hasEverLoaded) {
      this.#giveUp(reason);
      this.#failAll(reason);
      return;
    }
    this.#state = { name: 'restarting' };
    this.#failAll(reason);
    this.#restarts += 1;
    this.#ready = Promise.withResolvers<LoadedInfo>();
    this.#ready.promise.catch(() => undefined);
    const pauseMs = this.#backoffMs;
    this.#backoffMs = Math.min(2 * pauseMs, maxBackoffMs);
    void sleep(pauseMs, undefined, { ref: false }).then(() => {
      if (this.#state.name === 'restarting') this.#child = this.#start();
    });
  }

  #failAll(reason: string): void {
    const error = new OSLER_ERR_ENGINE_FAILED(this.#options.name, reason);
    for (const sink of this.#sinks.values()) sink.end(error);
    for (const reply of this.#replies.values()) reply.reject(error);
    this.#replies.clear();
    this.#stepSizes.fill(0);
  }
}

function startChild(backend: BackendChoice) {
  const file = path.join(import.meta.dirname, `child${path.extname(import.meta.filename)}`);
  // NativeGarbage collects; the young generation is kept small as in bin/osler.js.
  return execa(process.execPath, ['--expose-gc', '--max-semi-space-size=8', file], {
    ipc: true,
    serialization: 'json',
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    buffer: false,
    cleanup: true,
    env: engineEnvironment(backend),
  });
}

function describeExit(error: { signal?: string; exitCode?: number }, stderr: string): string {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  const how =
    error.signal === undefined ? `its process ended with code ${error.exitCode ?? 'unknown'}` : `its process was ended by ${error.signal}`;
  return last === '' ? how : `${how} (${last.slice(0, 300)})`;
}
