import type { TemplateMessage } from './chat-history.ts';
import type { ThoughtClosed, ThoughtTags } from './thought-splitter.ts';

/** How the next token is drawn. Temperature 0 is greedy. */
export interface Sampling {
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly minP: number;
  /** 1 is off. */
  readonly repeatPenalty: number;
  readonly frequencyPenalty: number;
  readonly presencePenalty: number;
}

/** R1's advice for reasoning models: temperature 0.6, top-p 0.95, nothing else. */
export const defaultSampling: Sampling = {
  temperature: 0.6,
  topP: 0.95,
  topK: 0,
  minP: 0,
  repeatPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
};

/** One generation. The prompt is rendered already, so an engine knows nothing of chats. */
export interface GenerateRequest {
  readonly prompt: string;
  readonly isThoughtPreopened: boolean;
  readonly isThinkingEnabled: boolean;
  /** Most tokens to generate, thought included; null: until the context is full. */
  readonly maxTokens: number | null;
  /** After so many tokens a running thought is closed; null: never. */
  readonly thinkingBudgetTokens: number | null;
  readonly sampling: Sampling;
  /** 32-bit. */
  readonly seed: number;
  readonly stop: readonly string[];
  readonly stopScope: 'content' | 'all';
  /** Added to a token's logit, by token id: −100 (never) to 100. */
  readonly logitBias?: Readonly<Record<string, number>>;
  /** How many alternatives to report with each token of the answer, 0 to 20; left out: no log-probabilities. */
  readonly topLogprobs?: number;
  /** What the answer must look like; the thought is free. */
  readonly grammar?: AnswerGrammar;
  /** What the prompt was rendered from, for upstreams that take messages only. */
  readonly chat?: ChatSource;
}

/** The chat behind a rendered prompt. */
export interface ChatSource {
  readonly messages: readonly TemplateMessage[];
  /** The client's word for how long to think, where it stands behind `thinkingBudgetTokens`. */
  readonly reasoningEffort?: string;
  /** What the client sets of the template's variables, `enable_thinking` among them. */
  readonly templateVariables?: Readonly<Record<string, unknown>>;
}

/** A form that the answer is held to, token by token. */
export type AnswerGrammar =
  | { readonly type: 'json' }
  | { readonly type: 'json-schema'; readonly schema: Readonly<Record<string, unknown>> }
  /** Grammar in llama.cpp's notation, GBNF; its rule `root` is the answer. */
  | { readonly type: 'gbnf'; readonly text: string };

/** A token with its natural log-probability before any sampling, given all before it. */
export interface TokenLogprob {
  readonly id: number;
  readonly text: string;
  readonly logprob: number;
  /** The most likely tokens in its place, greatest first. */
  readonly top: readonly { readonly id: number; readonly text: string; readonly logprob: number }[];
}

export interface Usage {
  readonly promptTokens: number;
  /** Prompt tokens that a former request had left in the cache. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
  /** Completion tokens up to and including the closing tag. */
  readonly reasoningTokens: number;
}

/** What a generation yields: deltas, among them one `thought-closed` where there was a thought, at last one `finish`. */
export type EngineEvent =
  | {
      readonly type: 'delta';
      readonly thought: string;
      readonly answer: string;
      /** The generated text behind both since the last delta, tags and forced text included. */
      readonly raw: string;
      /** Tokens of the answer since the last delta, where asked for. */
      readonly logprobs?: readonly TokenLogprob[];
    }
  | { readonly type: 'thought-closed'; readonly how: ThoughtClosed }
  | {
      readonly type: 'finish';
      readonly reason: 'stop' | 'length';
      readonly usage: Usage;
      readonly rawText: string;
      readonly timings: Timings;
    };

/** Seconds as the engine saw them. */
export interface Timings {
  readonly queueSeconds: number;
  /** From admission to the first token. */
  readonly promptSeconds: number;
  readonly generationSeconds: number;
}

/** A running generation: iterate it for its events. Leaving the loop cancels the work. */
export interface Generation extends AsyncIterable<EngineEvent> {
  /** Closes a running thought now, so that the answer begins. */
  answerNow(): void;
}

/** Log-likelihood of one segment of text, given all before it. */
export interface SegmentScore {
  /** Negative log-likelihood in nats, summed over the tokens. */
  readonly nll: number;
  readonly tokens: number;
}

/** What a loaded model is, once it is loaded. */
export interface EngineInfo {
  readonly contextTokens: number;
  /** Requests that run at once. */
  readonly slots: number;
  /** Device and threads, in words. */
  readonly device: string;
  /** Numbers in an embedding; null: this engine makes none. */
  readonly embeddingSize: number | null;
}

/** One place for a running request. */
export interface SlotState {
  readonly id: number;
  readonly state: 'idle' | 'prompt' | 'generation';
  /** Tokens that its cache holds. */
  readonly cachedTokens: number;
}

/** Vectors of texts, of unit length. */
export interface Embeddings {
  readonly vectors: readonly (readonly number[])[];
  readonly tokens: number;
}

export type EngineState =
  | { readonly name: 'ready' }
  | { readonly name: 'loading' | 'restarting' | 'closed' }
  | { readonly name: 'failed'; readonly reason: string };

/** Live figures for /metrics and /slots. */
export interface EngineLoad {
  readonly running: number;
  readonly waiting: number;
  readonly restarts: number;
  /** Share of the slots that the last decoding step used, 0 to 1; 0 when idle. */
  readonly occupancy: number;
}

/** Something that generates text: a local GGUF, an upstream server, or a script. The contract suite runs against each. */
export interface Engine {
  readonly state: EngineState;
  readonly load: EngineLoad;
  readonly tags: ThoughtTags;
  /** Resolves once requests can be served. Throws OSLER_ERR_ENGINE_LOAD. */
  ready(): Promise<EngineInfo>;
  /** Throws OSLER_ERR_ENGINE_FAILED, OSLER_ERR_REQUEST_TOO_LONG and OSLER_ERR_QUEUE_FULL from the iteration. */
  generate(request: GenerateRequest, signal?: AbortSignal): Generation;
  tokenize(text: string): Promise<number[]>;
  detokenize(tokens: readonly number[]): Promise<string>;
  /** Throws OSLER_ERR_REQUEST_UNSUPPORTED where the engine makes no embeddings, OSLER_ERR_QUEUE_FULL, and the signal's reason. */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Embeddings>;
  /** What runs where; empty where the engine cannot say. */
  slots(): Promise<readonly SlotState[]>;
  /** Scores consecutive segments after a prompt. */
  score(prompt: string, segments: readonly string[]): Promise<SegmentScore[]>;
  close(): Promise<void>;
}
