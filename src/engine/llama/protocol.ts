import type { EngineEvent, EngineInfo, GenerateRequest, SegmentScore } from '../engine.ts';
import type { ThoughtTags } from '../thought-splitter.ts';

/** How the child loads its model. */
export interface LoadOptions {
  readonly file: string;
  readonly gpu: 'auto' | 'cuda' | 'vulkan' | 'metal' | 'off';
  readonly threads: number;
  /** Requests at once. */
  readonly slots: number;
  /** Tokens a slot holds; memory is contextTokens × slots. */
  readonly contextTokens: number;
  readonly batchTokens: number;
  readonly tags: ThoughtTags;
}

/** Messages from the server to the engine's process. */
export type ToChild =
  | { readonly type: 'load'; readonly options: LoadOptions }
  | { readonly type: 'generate'; readonly id: number; readonly request: GenerateRequest }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'answer-now'; readonly id: number }
  | { readonly type: 'tokenize'; readonly id: number; readonly text: string }
  | { readonly type: 'score'; readonly id: number; readonly prompt: string; readonly segments: readonly string[] }
  | { readonly type: 'shutdown' };

/** A request that failed by itself, without harm to others. */
export interface ChildFault {
  readonly code: 'too-long' | 'internal';
  readonly message: string;
  readonly promptTokens?: number;
}

/** Messages from the engine's process: one `step` for all requests of a decoding step, not one a token. */
export type FromChild =
  | { readonly type: 'ready'; readonly info: EngineInfo }
  | { readonly type: 'load-failed'; readonly message: string }
  | { readonly type: 'step'; readonly events: readonly { readonly id: number; readonly event: EngineEvent }[] }
  | { readonly type: 'fault'; readonly id: number; readonly fault: ChildFault }
  | { readonly type: 'tokens'; readonly id: number; readonly tokens: readonly number[] }
  | { readonly type: 'scores'; readonly id: number; readonly scores: readonly SegmentScore[] };
