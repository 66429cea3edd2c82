import type { EngineEvent, GenerateRequest } from '../engine.ts';
import type { ThoughtTags } from '../thought-splitter.ts';
import type { BackendChoice } from './backend-choice.ts';
import type { ReadRequest } from './read-distributions.ts';

/** A LoRA adapter over the weights: a GGUF file and how strongly it counts. */
export interface Adapter {
  readonly file: string;
  readonly scale: number;
}

/** How the child loads its model. */
export interface LoadOptions {
  readonly file: string;
  readonly backend: BackendChoice;
  readonly threads: number;
  /** Requests at once, in each context. */
  readonly slots: number;
  /** Tokens a slot holds; memory is contextTokens × slots × contexts. */
  readonly contextTokens: number;
  readonly batchTokens: number;
  readonly tags: ThoughtTags;
  /** One context over the same weights for each entry; null: without an adapter. */
  readonly arms: readonly (Adapter | null)[];
}

/** What a loaded process is. */
export interface LoadedInfo {
  readonly contextTokens: number;
  readonly slots: number;
  readonly device: string;
  readonly embeddingSize: number | null;
}

/** What the runtime makes of a file's special tokens. */
export interface VocabularyFacts {
  readonly size: number;
  readonly bosId: number | null;
  readonly eosId: number | null;
  /** Whether a runtime that follows the file writes a BOS before every text, whatever the text begins with. */
  readonly addsBos: boolean;
  /** Those of the tokens asked about that end a generation. */
  readonly endIds: readonly number[];
}

/** A question that is answered by one `reply` or `fault`. */
export type Question =
  | { readonly about: 'tokens'; readonly text: string }
  | { readonly about: 'text'; readonly tokens: readonly number[] }
  | { readonly about: 'scores'; readonly arm: number; readonly prompt: string; readonly segments: readonly string[] }
  | { readonly about: 'distributions'; readonly arm: number; readonly request: ReadRequest }
  | { readonly about: 'vocabulary'; readonly tokens: readonly number[] }
  | { readonly about: 'embeddings'; readonly texts: readonly string[] }
  | { readonly about: 'slots'; readonly arm: number };

/** Messages from the server to the engine's process. */
export type ToChild =
  | { readonly type: 'load'; readonly options: LoadOptions }
  | { readonly type: 'generate'; readonly id: number; readonly arm: number; readonly request: GenerateRequest }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'answer-now'; readonly id: number }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  | { readonly type: 'shutdown' };

/** A request that failed by itself, without harm to others. */
export interface ChildFault {
  readonly code: 'too-long' | 'unsupported' | 'internal';
  readonly message: string;
  readonly promptTokens?: number;
  /** Which parameter cannot be honoured. */
  readonly parameter?: string;
}

/** Messages from the engine's process: one `step` for all requests of a decoding step, not one a token. */
export type FromChild =
  | { readonly type: 'ready'; readonly info: LoadedInfo }
  | { readonly type: 'load-failed'; readonly message: string }
  | {
      readonly type: 'step';
      readonly arm: number;
      /** Sequences in this step. */
      readonly size: number;
      readonly events: readonly { readonly id: number; readonly event: EngineEvent }[];
    }
  | { readonly type: 'fault'; readonly id: number; readonly fault: ChildFault }
  | { readonly type: 'reply'; readonly id: number; readonly value: unknown };
