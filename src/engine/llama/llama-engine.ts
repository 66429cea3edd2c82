import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { AsyncQueue } from '../../core/async-queue.ts';
import {
  OSLER_ERR_ENGINE_FAILED,
  OSLER_ERR_ENGINE_LOAD,
  OSLER_ERR_ENGINE_NOT_READY,
  OSLER_ERR_QUEUE_FULL,
  OSLER_ERR_REQUEST_TOO_LONG,
} from '../../core/errors.ts';
import type { Engine, EngineEvent, EngineInfo, EngineLoad, EngineState, GenerateRequest, Generation, SegmentScore } from '../engine.ts';
import type { ThoughtTags } from '../thought-splitter.ts';
import type { ChildFault, FromChild, LoadOptions, ToChild } from './protocol.ts';

const firstBackoffMs = 500;
const maxBackoffMs = 30_000;
const shutdownGraceMs = 5000;
const retryAfterSeconds = 5;
const maxKeptStderr = 4000;

export interface LlamaEngineOptions extends LoadOptions {
  /** Name of the model, for errors. */
  readonly name: string;
  /** Requests that may wait for a slot; more are refused. */
  readonly maxWaiting: number;
}

type Child = ReturnType<typeof startChild>;

/**
 * A GGUF model in a process of its own.
 *
 * When that process dies, its requests fail with a clear error, it is started again after a pause
 * that doubles from 0.5 s to 30 s, and the state tells the truth meanwhile.
 */
export class LlamaEngine implements Engine {
  readonly tags: ThoughtTags;
  readonly #options: LlamaEngineOptions;
  readonly #generations = new Map<number, AsyncQueue<EngineEvent>>();
  readonly #replies = new Map<number, { resolve: (message: FromChild) => void; reject: (error: Error) => void }>();
  #child: Child;
  #state: EngineState = { name: 'loading' };
  #info = Promise.withResolvers<EngineInfo>();
  #nextId = 1;
  #restarts = 0;
  #backoffMs = firstBackoffMs;
  #slots: number;

  constructor(options: LlamaEngineOptions) {
    this.#options = options;
    this.tags = options.tags;
    this.#slots = options.slots;
    this.#child = this.#start();
  }

  get state(): EngineState {
    return this.#state;
  }

  get load(): EngineLoad {
    const active = this.#generations.size;
    return { running: Math.min(active, this.#slots), waiting: Math.max(0, active - this.#slots), restarts: this.#restarts };
  }

  /** Id of the engine's process, or undefined while there is none. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  ready(): Promise<EngineInfo> {
    return this.#info.promise;
  }

  generate(request: GenerateRequest, signal?: AbortSignal): Generation {
    const id = this.#nextId;
    this.#nextId += 1;
    const send = (message: ToChild): void => this.#send(message);
    const iterate = (): AsyncGenerator<EngineEvent, void> => this.#iterate(id, request, signal);
    return { answerNow: () => send({ type: 'answer-now', id }), [Symbol.asyncIterator]: iterate };
  }

  async tokenize(text: string): Promise<number[]> {
    const reply = await this.#ask((id) => ({ type: 'tokenize', id, text }));
    return reply.type === 'tokens' ? [...reply.tokens] : [];
  }

  async score(prompt: string, segments: readonly string[]): Promise<SegmentScore[]> {
    const reply = await this.#ask((id) => ({ type: 'score', id, prompt, segments }));
    return reply.type === 'scores' ? [...reply.scores] : [];
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

  async *#iterate(id: number, request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<EngineEvent, void> {
    signal?.throwIfAborted();
    if (this.#state.name !== 'ready') throw new OSLER_ERR_ENGINE_NOT_READY(this.#options.name, this.#state.name);
    if (this.#generations.size >= this.#slots + this.#options.maxWaiting) {
      throw new OSLER_ERR_QUEUE_FULL(this.#options.name, this.#options.maxWaiting, retryAfterSeconds);
    }
    const queue = new AsyncQueue<EngineEvent>();
    this.#generations.set(id, queue);
    const abort = (): void => queue.end(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    let isFinished = false;
    try {
      this.#send({ type: 'generate', id, request });
      for await (const event of queue) {
        isFinished = event.type === 'finish';
        yield event;
        if (isFinished) return;
      }
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#generations.delete(id);
      if (!isFinished) this.#send({ type: 'cancel', id });
    }
  }

  #start(): Child {
    const child = startChild();
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
    const { name: _name, maxWaiting: _maxWaiting, ...load } = this.#options;
    child.nodeChildProcess.send({ type: 'load', options: load } satisfies ToChild);
    return child;
  }

  #receive(message: FromChild): void {
    switch (message.type) {
      case 'ready':
        this.#state = { name: 'ready' };
        this.#slots = message.info.slots;
        this.#info.resolve(message.info);
        break;
      case 'load-failed':
        if (this.#restarts > 0) {
          // The dead one's memory may not be free yet: this counts as another death, with its pause.
          this.#child.kill('SIGKILL');
          break;
        }
        this.#state = { name: 'failed', reason: message.message };
        this.#info.reject(new OSLER_ERR_ENGINE_LOAD(this.#options.name, message.message));
        this.#info.promise.catch(() => undefined);
        this.#child.kill('SIGKILL');
        break;
      case 'step':
        // Only a real decode shows that the engine works: a crash at the first one must not start it again without pause.
        this.#backoffMs = firstBackoffMs;
        for (const { id, event } of message.events) this.#generations.get(id)?.push(event);
        break;
      case 'fault': {
        const error = this.#errorOf(message.fault);
        this.#generations.get(message.id)?.end(error);
        this.#replies.get(message.id)?.reject(error);
        this.#replies.delete(message.id);
        break;
      }
      case 'tokens':
      case 'scores':
        this.#replies.get(message.id)?.resolve(message);
        this.#replies.delete(message.id);
        break;
    }
  }

  #errorOf(fault: ChildFault): Error {
    if (fault.code === 'too-long')
      return new OSLER_ERR_REQUEST_TOO_LONG(fault.promptTokens ?? 0, this.#options.name, this.#options.contextTokens);
    return new Error(`the engine could not do it: ${fault.message}`);
  }

  #ask(message: (id: number) => ToChild): Promise<FromChild> {
    const id = this.#nextId;
    this.#nextId += 1;
    if (this.#state.name !== 'ready') return Promise.reject(new OSLER_ERR_ENGINE_NOT_READY(this.#options.name, this.#state.name));
    const { promise, resolve, reject } = Promise.withResolvers<FromChild>();
    this.#replies.set(id, { resolve, reject });
    this.#send(message(id));
    return promise;
  }

  #send(message: ToChild): void {
    // A dead child's requests are failed by its exit handler.
    const { nodeChildProcess } = this.#child;
    if (nodeChildProcess.connected) nodeChildProcess.send(message, () => undefined);
  }

  #died(reason: string): void {
    if (this.#state.name === 'closed' || this.#state.name === 'failed') {
      this.#failAll(reason);
      return;
    }
    const hasEverLoaded = this.#state.name === 'ready' || this.#restarts > 0;
    this.#failAll(reason);
    if (!hasEverLoaded) {
      this.#state = { name: 'failed', reason };
      this.#info.reject(new OSLER_ERR_ENGINE_LOAD(this.#options.name, reason));
      this.#info.promise.catch(() => undefined);
      return;
    }
    this.#state = { name: 'restarting' };
    this.#restarts += 1;
    this.#info = Promise.withResolvers<EngineInfo>();
    this.#info.promise.catch(() => undefined);
    const pauseMs = this.#backoffMs;
    this.#backoffMs = Math.min(2 * pauseMs, maxBackoffMs);
    void sleep(pauseMs, undefined, { ref: false }).then(() => {
      if (this.#state.name === 'restarting') this.#child = this.#start();
    });
  }

  #failAll(reason: string): void {
    const error = new OSLER_ERR_ENGINE_FAILED(this.#options.name, reason);
    for (const queue of this.#generations.values()) queue.end(error);
    for (const reply of this.#replies.values()) reply.reject(error);
    this.#replies.clear();
  }
}

function startChild() {
  const file = path.join(import.meta.dirname, `child${path.extname(import.meta.filename)}`);
  return execa(process.execPath, [file], {
    ipc: true,
    serialization: 'json',
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    buffer: false,
    cleanup: true,
  });
}

function describeExit(error: { signal?: string; exitCode?: number }, stderr: string): string {
  const last = stderr.trim().split('\n').at(-1) ?? '';
  const how =
    error.signal === undefined ? `its process ended with code ${error.exitCode ?? 'unknown'}` : `its process was ended by ${error.signal}`;
  return last === '' ? how : `${how} (${last.slice(0, 300)})`;
}
