import type { FastifyRequest } from 'fastify';
import { createRequestId } from '../../core/ids.ts';
import { type AnswerEvent, answerQuestion, type RunningAnswer } from '../answer-question.ts';
import type { AppDeps } from '../app.ts';
import { encodeUsage } from '../openai/chat-answer.ts';
import { ChatChoice, type ChoicePart } from '../openai/chat-choice.ts';
import type { ChatPlan } from '../openai/read-chat-request.ts';
import { fingerprintOf, type ServedModel } from '../served-model.ts';
import { errorFrame } from './error-frame.ts';
import type { ClientFrame } from './frames.ts';
import type { Outbox } from './outbox.ts';
import { PendingFrames, type UntextedFrame } from './pending-frames.ts';
import { readSocketRequest } from './read-socket-request.ts';

type ChatFrame = Extract<ClientFrame, { type: 'chat' }>;

/** Where a chat runs and writes. */
export interface ChatPlace {
  readonly deps: AppDeps;
  /** The one that became the socket. */
  readonly request: FastifyRequest;
  readonly outbox: Outbox;
  readonly maxPendingChars: number;
  /** Throws where the client may start no chat now. */
  admit(): Promise<void>;
}

/** One chat on a socket, from its `started` to its last frame. */
export class SocketChat {
  /** Resolves when the work on the engine has ended and the last frame is on the socket. Never rejects. */
  readonly finished: Promise<void>;
  readonly #id: string;
  readonly #place: ChatPlace;
  readonly #requestId = createRequestId('req');
  readonly #pending: PendingFrames;
  readonly #stop = new AbortController();
  #answer: RunningAnswer | undefined;
  #wantsAnswerNow = false;
  /** The last frame is there or needs none. */
  #isOver = false;

  /** Starts the chat. Throws what is wrong with the request. */
  constructor(place: ChatPlace, frame: ChatFrame) {
    const model = place.deps.models.get(frame.request.model);
    const plan = readSocketRequest(frame.request, model);
    this.#id = frame.id;
    this.#place = place;
    this.#pending = new PendingFrames(place.maxPendingChars);
    this.finished = this.#run(model, plan);
  }

  /** Closes a running thought, or the one to come where the chat is still on its way to the engine. */
  answerNow(): void {
    this.#wantsAnswerNow = true;
    this.#answer?.answerNow();
  }

  /** Stops the work; the client hears `cancelled` when it has stopped. */
  cancel(): void {
    if (this.#isOver || this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#pending.clear();
  }

  /** Stops the work of a client that is gone. */
  abandon(): void {
    this.#isOver = true;
    this.#stop.abort();
    this.#pending.clear();
  }

  async #run(model: ServedModel, { request, tools }: ChatPlan): Promise<void> {
    const { deps } = this.#place;
    const log = this.#place.request.log.child({ reqId: this.#requestId });
    const startedMs = performance.now();
    const choice = new ChatChoice({ request, tools, isRaw: false });
    let outcome = 'cancelled';
    try {
      await this.#place.admit();
      this.#stop.signal.throwIfAborted();
      this.#send(this.#startedFrame(model, request.seed));
      const answer = answerQuestion(deps, model, request, this.#stop.signal);
      this.#answer = answer;
      // Once the loop below has begun: an engine may know nothing yet of an answer that nobody reads.
      if (this.#wantsAnswerNow) queueMicrotask(() => answer.answerNow());
      for await (const event of answer.events) {
        // An engine that heeds no signal is left here.
        if (this.#stop.signal.aborted) break;
        this.#sendEvent(event, choice);
        outcome = choice.finishReason ?? outcome;
        await this.#pending.room();
      }
    } catch (error) {
      if (!this.#stop.signal.aborted && !this.#isOver) {
        outcome = 'error';
        this.#sendLast(errorFrame(log, { id: this.#id, error, requestId: this.#requestId }));
      }
    }
    if (!this.#isOver) this.#sendLast({ type: 'cancelled', id: this.#id });
    log.info({ model: model.name, outcome, ms: Math.round(performance.now() - startedMs) }, 'chat');
    await this.#pending.empty();
  }

  #startedFrame(model: ServedModel, seed: number): UntextedFrame {
    return { type: 'started', id: this.#id, request_id: this.#requestId, model: model.name, fingerprint: fingerprintOf(model), seed };
  }

  #sendEvent(event: AnswerEvent, choice: ChatChoice): void {
    for (const part of choice.take(event)) this.#pushPart(part);
    if (event.type === 'thought-closed' && event.how !== 'none') {
      this.#send({ type: 'thought-closed', id: this.#id, how: event.how });
    } else if (event.type === 'finish') {
      const { queueSeconds, promptSeconds, generationSeconds } = event.timings;
      this.#sendLast({
        type: 'done',
        id: this.#id,
        finish_reason: choice.finishReason ?? event.reason,
        usage: encodeUsage(event.usage),
        timings: { queue_s: queueSeconds, prompt_s: promptSeconds, generation_s: generationSeconds },
        seed: choice.request.seed,
      });
    } else {
      this.#place.outbox.offer(this.#pending);
    }
  }

  #pushPart(part: ChoicePart): void {
    if (part.type === 'reasoning') this.#pending.pushText(this.#id, part.text, '');
    else if (part.type === 'content') this.#pending.pushText(this.#id, '', part.text);
    else {
      const { id, index, name, arguments: text } = part;
      const call = { id, type: 'function', function: { name, arguments: text } } as const;
      this.#pending.push({ type: 'tool-call', id: this.#id, index, tool_call: call }, name.length + text.length);
    }
  }

  #send(frame: UntextedFrame): void {
    this.#pending.push(frame);
    this.#place.outbox.offer(this.#pending);
  }

  #sendLast(frame: UntextedFrame): void {
    this.#isOver = true;
    this.#send(frame);
  }
}
