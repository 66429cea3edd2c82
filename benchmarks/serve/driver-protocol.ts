import type { GenerateRequest } from '../../src/engine/engine.ts';
import type { LoadOptions } from '../../src/engine/llama/protocol.ts';
import type { LoadResult } from './load-job.ts';

/** What the process around the bare driver is told. */
export type ToDriver =
  | { readonly type: 'load'; readonly options: LoadOptions }
  | { readonly type: 'play'; readonly clients: number; readonly requests: readonly GenerateRequest[] };

/** What it answers, one message for each. */
export type FromDriver =
  | { readonly type: 'ready' }
  | { readonly type: 'played'; readonly result: LoadResult }
  | { readonly type: 'failed'; readonly message: string };
