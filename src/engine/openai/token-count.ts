import type { UpstreamChunk, UpstreamCounts } from './upstream-chunk.ts';

/**
 * Counts the tokens of one stream.
 *
 * Servers that send running totals are believed; else a chunk with text is one token, which holds for llama-server,
 * hosted services and us, and the total at the end corrects it.
 */
export class TokenCount {
  #counted = 0;
  #hasRunningTotals = false;
  #last: UpstreamCounts | null = null;

  /** The upstream's latest totals. */
  get last(): UpstreamCounts | null {
    return this.#last;
  }

  /** Tokens counted so far. */
  get counted(): number {
    return this.#counted;
  }

  /** Tokens that the upstream's total has beyond those counted, or lacks. */
  get missing(): number {
    return this.#last === null ? 0 : this.#last.completion - this.#counted;
  }

  /** Tokens that a chunk brought. */
  take(chunk: UpstreamChunk): number {
    const hasText = chunk.text !== '' || chunk.reasoning !== '';
    this.#last = chunk.counts ?? this.#last;
    if (chunk.counts !== null && hasText) this.#hasRunningTotals = true;
    const added = this.#hasRunningTotals ? Math.max(0, this.missing) : Number(hasText);
    this.#counted += added;
    return added;
  }
}

/** Reasoning tokens, once the total is known: the same share of the total as of the count. */
export function correctReasoning(counted: { reasoning: number; completion: number }, missing: number, isInThought: boolean): number {
  const total = counted.completion + missing;
  if (isInThought) return total;
  if (counted.completion === 0) return 0;
  return Math.min(total, Math.round((counted.reasoning * total) / counted.completion));
}
