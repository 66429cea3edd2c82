import { isRecord } from '../../src/core/is-record.ts';

/** Token counts as a server's own usage chunk gives them; chunks are never counted, since one can carry several tokens. */
export interface ChunkUsage {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** What one `chat.completion.chunk` says, as far as timing needs it. */
export interface ChunkFacts {
  /** Whether it brings text of the answer or the thought. */
  readonly hasText: boolean;
  readonly finishReason: string | null;
  readonly usage: ChunkUsage | null;
}

/** Reads one chunk by hand, not with a schema: the client shares its cores with the servers that it measures. Throws on an error object. */
export function readChunk(data: string): ChunkFacts {
  const chunk: unknown = JSON.parse(data);
  if (!isRecord(chunk)) throw new Error('The server sent a chunk that is no object.');
  if (isRecord(chunk['error'])) throw new Error(`The server broke the stream off: ${String(chunk['error']['message'])}`);
  const choice: unknown = Array.isArray(chunk['choices']) ? chunk['choices'][0] : undefined;
  const delta = isRecord(choice) && isRecord(choice['delta']) ? choice['delta'] : {};
  return {
    hasText: isText(delta['content']) || isText(delta['reasoning_content']),
    finishReason: isRecord(choice) && typeof choice['finish_reason'] === 'string' ? choice['finish_reason'] : null,
    usage: isRecord(chunk['usage']) ? readUsage(chunk['usage']) : null,
  };
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function readUsage(usage: Record<string, unknown>): ChunkUsage {
  const details = isRecord(usage['prompt_tokens_details']) ? usage['prompt_tokens_details'] : {};
  return {
    promptTokens: Number(usage['prompt_tokens']),
    cachedTokens: Number(details['cached_tokens'] ?? 0),
    completionTokens: Number(usage['completion_tokens']),
  };
}
