import { setTimeout as sleep } from 'node:timers/promises';
import { OSLER_ERR_ENGINE_FAILED, OSLER_ERR_REQUEST_INVALID, OSLER_ERR_REQUEST_TOO_LONG } from '../../core/errors.ts';
import { AnswerTracker } from '../answer-tracker.ts';
import type {
  AnswerGrammar,
  Embeddings,
  Engine,
  EngineEvent,
  EngineInfo,
  EngineLoad,
  EngineState,
  GenerateRequest,
  Generation,
  SegmentScore,
  SlotState,
  TokenLogprob,
} from '../engine.ts';
import { defaultThoughtTags, type SplitText } from '../thought-splitter.ts';
import { exampleOfSchema } from './schema-example.ts';

export interface ScriptedEngineOptions {
  /** The text a prompt is answered with, tags included; it is streamed word by word. */
  readonly reply: (request: GenerateRequest) => string;
  /** The answer that fits a grammar, put in place of the script's; left out: an example of what the grammar allows. */
  readonly replyInForm?: (grammar: AnswerGrammar, request: GenerateRequest) => string;
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
  /** Every word seen so far; a word's place is its token. */
  readonly #vocabulary = new Map<string, number>();
  #state: EngineState = { name: 'ready' };
  #running = 0;

  constructor(options: ScriptedEngineOptions) {
    this.#options = options;
  }

  get state(): EngineState {
    return this.#state;
  }

  get load(): EngineLoad {
    return { running: this.#running, waiting: 0, restarts: 0, occupancy: Math.min(1, this.#running / this.#slots) };
  }

  async ready(): Promise<EngineInfo> {
    return { contextTokens: this.#contextTokens, slots: this.#slots, device: 'script', embeddingSize: 8 };
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
    return wordsOf(text).map((word) => this.#tokenOf(word));
  }

  async detokenize(tokens: readonly number[]): Promise<string> {
    const words = [...this.#vocabulary.keys()];
    return tokens
      .map((token) => {
        const word = words[token];
        if (word === undefined) throw new OSLER_ERR_REQUEST_INVALID(`Token ${token} is not in the vocabulary.`);
        return word;
      })
      .join('');
  }

  /** A vector of the text's letters, by their code modulo 8: equal texts have equal ones. */
  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Embeddings> {
    signal?.throwIfAborted();
    const vectors = texts.map((text) => {
      const counts = Array.from({ length: 8 }, () => 1);
      for (const letter of text) counts[(letter.codePointAt(0) ?? 0) % 8] = (counts[(letter.codePointAt(0) ?? 0) % 8] ?? 0) + 1;
      const length = Math.hypot(...counts);
      return counts.map((count) => count / length);
    });
    return { vectors, tokens: texts.reduce((sum, text) => sum + wordsOf(text).length, 0) };
  }

  async slots(): Promise<SlotState[]> {
    return Array.from({ length: this.#slots }, (_, id) => ({ id, state: id < this.#running ? 'generation' : 'idle', cachedTokens: 0 }));
  }

  async score(_prompt: string, segments: readonly string[]): Promise<SegmentScore[]> {
    return segments.map((segment) => ({ nll: segment.length / 4, tokens: wordsOf(segment).length }));
  }

  async close(): Promise<void> {
    this.#state = { name: 'closed' };
  }

  #tokenOf(word: string): number {
    const token = this.#vocabulary.get(word) ?? this.#vocabulary.size;
    this.#vocabulary.set(word, token);
    return token;
  }

  /** The script's thought with an answer that fits the grammar. */
  #replyTo(request: GenerateRequest): string {
    const reply = this.#options.reply(request);
    if (request.grammar === undefined) return reply;
    const { open, close } = this.tags;
    const form = this.#options.replyInForm?.(request.grammar, request) ?? exampleOfGrammar(request.grammar);
    if (!request.isThinkingEnabled || !(request.isThoughtPreopened || reply.trimStart().startsWith(open))) return form;
    const end = reply.indexOf(close);
    return end < 0
      ? `${reply}\n${close}\n\n${form}`
      : reply.slice(0, end + close.length) + (/^\s*/.exec(reply.slice(end + close.length))?.[0] ?? '') + form;
  }

  /** A likely word, and made-up ones that get less and less likely. */
  #logprobOf(word: string, count: number): TokenLogprob {
    const likely = { id: this.#tokenOf(word), text: word, logprob: -0.25 };
    const others = Array.from({ length: Math.max(0, count - 1) }, (_, index) => {
      const text = `other${index} `;
      return { id: this.#tokenOf(text), text, logprob: -2 - index };
    });
    return { ...likely, top: count === 0 ? [] : [likely, ...others] };
  }

  get #slots(): number {
    return this.#options.slots ?? 8;
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
    let logprobs: TokenLogprob[] = [];
    const deltas = (split: SplitText, isEnd = false): EngineEvent[] => {
      const events: EngineEvent[] = [];
      if (split.thought !== '' || split.answer !== '') {
        events.push({ type: 'delta', ...split, raw: tracker.takeRaw(), ...(logprobs.length > 0 && { logprobs }) });
        logprobs = [];
      }
      if (!isCloseReported && tracker.closed !== 'none' && (tracker.closed !== 'never' || isEnd)) {
        isCloseReported = true;
        events.push({ type: 'thought-closed', how: tracker.closed });
      }
      return events;
    };
    let reason: 'stop' | 'length' = 'stop';
    this.#running += 1;
    try {
      const words = wordsOf(this.#replyTo(request));
      const afterThought = words.findIndex((candidate) => candidate.includes(this.tags.close));
      const isClosedAtStart = tracker.isInThought && request.thinkingBudgetTokens === 0;
      // It is part of the prompt, and counted there.
      if (isClosedAtStart) yield* deltas(tracker.forceClose('budget', this.tags.close, 0));
      for (let index = isClosedAtStart ? Math.max(0, afterThought) : 0; index < words.length; index += 1) {
        const word = words[index] ?? '';
        await (this.#options.wordMs === undefined ? sleep(0) : sleep(this.#options.wordMs, undefined, { signal }));
        signal?.throwIfAborted();
        if (index === this.#options.failAfterWords) throw new OSLER_ERR_ENGINE_FAILED('scripted', 'the script says so');
        if (request.maxTokens !== null && tracker.completionTokens >= request.maxTokens) {
          reason = 'length';
          break;
        }
        const wasThought = tracker.isInThought || tracker.closed === 'none';
        const split = tracker.push(word, 1);
        const isOfAnswer = split.answer !== '' || (!wasThought && !tracker.isInThought);
        if (request.topLogprobs !== undefined && isOfAnswer && !tracker.isStopped)
          logprobs.push(this.#logprobOf(word, request.topLogprobs));
        yield* deltas(split);
        if (tracker.isStopped) break;
        const isSpent = request.thinkingBudgetTokens !== null && tracker.reasoningTokens >= request.thinkingBudgetTokens;
        if (tracker.isInThought && (isSpent || control.wantsAnswerNow)) {
          // A thought is closed only where at least one token of an answer fits behind the closing tag.
          if (request.maxTokens !== null && tracker.completionTokens + 1 >= request.maxTokens) {
            reason = 'length';
            break;
          }
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
        usage: {
          promptTokens: promptTokens + Number(isClosedAtStart),
          cachedTokens: 0,
          completionTokens: tracker.completionTokens,
          reasoningTokens: tracker.reasoningTokens,
        },
        timings: { queueSeconds: 0, promptSeconds: 0, generationSeconds: (performance.now() - started) / 1000 },
      };
    } finally {
      this.#running -= 1;
    }
  }
}

function exampleOfGrammar(grammar: AnswerGrammar): string {
  switch (grammar.type) {
    case 'json':
      return '{"answer": "text"}';
    case 'json-schema':
      return JSON.stringify(exampleOfSchema(grammar.schema));
    case 'gbnf':
      return 'text';
  }
}

/** Words with the white space after them; white space alone at the start is one, too. */
function wordsOf(text: string): string[] {
  return text.match(/^\s+|\S+\s*/g) ?? [];
}
