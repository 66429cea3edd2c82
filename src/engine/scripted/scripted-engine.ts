import { setTimeout as sleep } from 'node:timers/promises';
import { OSLER_ERR_ENGINE_FAILED, OSLER_ERR_REQUEST_TOO_LONG } from '../../core/errors.ts';
import { AnswerTracker } from '../answer-tracker.ts';
import type { Engine, EngineEvent, EngineInfo, EngineLoad, EngineState, GenerateRequest, Generation, SegmentScore } from '../engine.ts';
import { defaultThoughtTags, type SplitText } from '../thought-splitter.ts';

export interface ScriptedEngineOptions {
  /** The text a prompt is answered with, tags included; it is streamed word by word. */
  readonly reply: (request: GenerateRequest) => string;
  readonly contextTokens?: number;
  readonly slots?: number;
  /** Pause before each word, in milliseconds. */
  readonly wordMs?: number;
  /** After so many words the engine fails, as one whose process dies. */
  readonly failAfterWords?: number;
}

/** An engine that plays a script: for tests and for work on the page without a model. A word with its spaces is a token. */
export class ScriptedEngine implements Engine {
  readonly tags = defaultThoughtTags;
  readonly #options: ScriptedEngineOptions;
  #state: EngineState = { name: 'ready' };
  #running = 0;

  constructor(options: ScriptedEngineOptions) {
    this.#options = options;
  }

  get state(): EngineState {
    return this.#state;
  }

  get load(): EngineLoad {
    return { running: this.#running, waiting: 0, restarts: 0 };
  }

  async ready(): Promise<EngineInfo> {
    return { contextTokens: this.#contextTokens, slots: this.#options.slots ?? 8, device: 'script' };
  }

  generate(request: GenerateRequest, signal?: AbortSignal): Generation {
    const control = { wantsAnswerNow: false };
    return {
      answerNow: () => {
        control.wantsAnswerNow = true;
      },
      [Symbol.asyncIterator]: () => this.#iterate(request, control, signal),
    };
  }

  async tokenize(text: string): Promise<number[]> {
    return wordsOf(text).map((word) => word.length);
  }

  async score(_prompt: string, segments: readonly string[]): Promise<SegmentScore[]> {
    return segments.map((segment) => ({ nll: segment.length / 4, tokens: wordsOf(segment).length }));
  }

  async close(): Promise<void> {
    this.#state = { name: 'closed' };
  }

  get #contextTokens(): number {
    return this.#options.contextTokens ?? 4096;
  }

  async *#iterate(request: GenerateRequest, control: { wantsAnswerNow: boolean }, signal?: AbortSignal): AsyncGenerator<EngineEvent, void> {
    signal?.throwIfAborted();
    const promptTokens = wordsOf(request.prompt).length;
    if (promptTokens >= this.#contextTokens) throw new OSLER_ERR_REQUEST_TOO_LONG(promptTokens, 'scripted', this.#contextTokens);
    const tracker = new AnswerTracker({ ...request, isPreopened: request.isThoughtPreopened, tags: this.tags });
    const started = performance.now();
    let isCloseReported = false;
    const deltas = (split: SplitText, isEnd = false): EngineEvent[] => {
      const events: EngineEvent[] = split.thought === '' && split.answer === '' ? [] : [{ type: 'delta', ...split }];
      if (!isCloseReported && tracker.closed !== 'none' && (tracker.closed !== 'never' || isEnd)) {
        isCloseReported = true;
        events.push({ type: 'thought-closed', how: tracker.closed });
      }
      return events;
    };
    let reason: 'stop' | 'length' = 'stop';
    this.#running += 1;
    try {
      const words = wordsOf(this.#options.reply(request));
      const afterThought = words.findIndex((candidate) => candidate.includes(this.tags.close));
      const isClosedAtStart = tracker.isInThought && request.thinkingBudgetTokens === 0;
      if (isClosedAtStart) yield* deltas(tracker.forceClose('budget', this.tags.close, 1));
      for (let index = isClosedAtStart ? Math.max(0, afterThought) : 0; index < words.length; index += 1) {
        const word = words[index] ?? '';
        await (this.#options.wordMs === undefined ? sleep(0) : sleep(this.#options.wordMs, undefined, { signal }));
        signal?.throwIfAborted();
        if (index === this.#options.failAfterWords) throw new OSLER_ERR_ENGINE_FAILED('scripted', 'the script says so');
        if (request.maxTokens !== null && tracker.completionTokens >= request.maxTokens) {
          reason = 'length';
          break;
        }
        yield* deltas(tracker.push(word, 1));
        if (tracker.isStopped) break;
        const isSpent = request.thinkingBudgetTokens !== null && tracker.reasoningTokens >= request.thinkingBudgetTokens;
        if (tracker.isInThought && (isSpent || control.wantsAnswerNow)) {
          yield* deltas(tracker.forceClose(isSpent ? 'budget' : 'client', this.tags.close, 1));
          // The rest of the scripted thought is skipped, as a model would skip it.
          index = Math.max(index, afterThought - 1);
        }
      }
      yield* deltas(tracker.end(), true);
      yield {
        type: 'finish',
        reason,
        rawText: tracker.rawText,
        usage: { promptTokens, cachedTokens: 0, completionTokens: tracker.completionTokens, reasoningTokens: tracker.reasoningTokens },
        timings: { queueSeconds: 0, promptSeconds: 0, generationSeconds: (performance.now() - started) / 1000 },
      };
    } finally {
      this.#running -= 1;
    }
  }
}

/** Words with the white space after them; white space alone at the start is one, too. */
function wordsOf(text: string): string[] {
  return text.match(/^\s+|\S+\s*/g) ?? [];
}
