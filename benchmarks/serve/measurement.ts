import type { LoadResult } from './load-job.ts';
import { meanOf, type Percentiles, percentilesOf } from './statistics.ts';

/** One server under one load, once. */
export interface Measurement {
  readonly tokensPerSecond: number;
  readonly ttftMs: Percentiles;
  readonly interTokenMs: Percentiles;
  readonly requests: number;
  readonly wallSeconds: number;
  /** By the server's own count; equal work needs it equal. */
  readonly meanCompletionTokens: number;
  /** Answers that the model ended before their limit. */
  readonly endedEarly: number;
  readonly meanPromptTokens: number;
  readonly meanCachedTokens: number;
  /** Share of one core that the load client took for itself. */
  readonly clientCores: number;
  /** Cores that the server's processes used on average; null where the system does not say. */
  readonly serverCores: number | null;
  /** Cores that neither server nor client used but others did: the machine was not quiet. null where the system does not say. */
  readonly otherCores: number | null;
}

/** Processor time of everybody from just before the client's process started until it was gone. */
export interface ProcessorUse {
  readonly elapsedSeconds: number;
  readonly serverSeconds: number;
  readonly allSeconds: number;
}

/** Sums up what the load client saw. Throws where nothing was answered. */
export function summarise(result: LoadResult, use: ProcessorUse | null): Measurement {
  const { records, wallSeconds } = result;
  const tokens = records.reduce((sum, record) => sum + record.completionTokens, 0);
  return {
    tokensPerSecond: tokens / wallSeconds,
    ttftMs: percentilesOf(records.flatMap(({ firstTextMs, startMs }) => (firstTextMs === null ? [] : [firstTextMs - startMs]))),
    interTokenMs: percentilesOf(records.flatMap((record) => record.gapsMs)),
    requests: records.length,
    wallSeconds,
    meanCompletionTokens: meanOf(records.map((record) => record.completionTokens)),
    endedEarly: records.filter((record) => record.finishReason !== 'length').length,
    meanPromptTokens: meanOf(records.map((record) => record.promptTokens)),
    meanCachedTokens: meanOf(records.map((record) => record.cachedTokens)),
    clientCores: result.clientCpuSeconds / wallSeconds,
    serverCores: use === null ? null : use.serverSeconds / use.elapsedSeconds,
    otherCores: use === null ? null : (use.allSeconds - use.serverSeconds - result.clientTotalCpuSeconds) / use.elapsedSeconds,
  };
}
