/** A place in a text: log-probabilities of the wanted tokens, and the likeliest of all. */
export interface PlaceReading {
  readonly logprobs: readonly number[];
  readonly likeliest: number;
}

/** An exported file as a runtime loads it; what composes engine and certificate implements it. */
export interface ExportedModel {
  /** Device and threads, in words. */
  readonly device: string;
  /** The file's own chat template; null: it carries none. */
  readonly chatTemplate: string | null;
  /** What the file says of its tokens. Throws where a token is beyond its vocabulary. */
  vocabulary(tokens: readonly number[]): Promise<{
    readonly size: number;
    readonly bosId: number | null;
    readonly eosId: number | null;
    /** Whether a runtime that follows the file writes a BOS before every text. */
    readonly addsBos: boolean;
    /** Those of the tokens asked about that end a generation. */
    readonly endIds: readonly number[];
  }>;
  /** The prompt for a question as the server renders it, by the file's own template. */
  render(question: string): string;
  /** Ids of a text whose special tokens are written out. */
  tokenize(text: string): Promise<number[]>;
  /** After token `places[i]`, how likely each of `wanted[i]` is next. */
  read(tokens: readonly number[], places: readonly number[], wanted: readonly (readonly number[])[]): Promise<readonly PlaceReading[]>;
  /** The likeliest continuation, by the served way; whether it ended by itself. */
  answer(prompt: string, maxTokens: number): Promise<{ readonly text: string; readonly hasEnded: boolean }>;
  close(): Promise<void>;
}

/** Opens a GGUF file and, over the same weights, an adapter: [file] or [file, file with adapter]. */
export type OpenExported = (file: string, adapterFile: string | null, contextTokens: number) => Promise<readonly ExportedModel[]>;
