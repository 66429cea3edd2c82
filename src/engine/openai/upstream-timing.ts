/** How patient requests to an upstream are. */
export interface UpstreamTiming {
  /** Retries after the first try, as long as no token has come. */
  readonly retries: number;
  /** First pause between tries; each next one is twice as long. */
  readonly firstPauseMs: number;
  /** The longest pause, and the longest wait that an upstream may ask for. */
  readonly longestPauseMs: number;
  /** From a request to the first byte of its answer: the upstream's queue and its reading of the prompt. */
  readonly firstByteMs: number;
  /** Silence after which a running answer counts as lost; comments of the stream are signs of life. */
  readonly idleMs: number;
  /** For small questions: list of models, tokenizing. */
  readonly askMs: number;
  /** How long the start waits for an upstream that is not there yet. */
  readonly startMs: number;
  /** Between two looks at an upstream that answers. */
  readonly checkMs: number;
}

/** `fetch` itself gives up after 300 s without headers or without a byte of the body, so both waits are shorter. */
export const defaultUpstreamTiming: UpstreamTiming = {
  retries: 4,
  firstPauseMs: 500,
  longestPauseMs: 30_000,
  firstByteMs: 240_000,
  idleMs: 120_000,
  askMs: 15_000,
  startMs: 60_000,
  checkMs: 30_000,
};
