import { setImmediate as tick } from 'node:timers/promises';
import type { LlamaContext } from 'node-llama-cpp';

/** What a sequence was asked to decode: one entry a call. */
export interface Decode {
  readonly slot: number;
  readonly tokens: readonly number[];
  /** Whether a token was sampled at its end. */
  readonly isStep: boolean;
}

export interface FakeContextOptions {
  readonly slots: number;
  readonly contextTokens?: number;
  readonly batchTokens?: number;
  /** The text that every sequence generates, character by character; then it ends. */
  readonly reply?: string;
  readonly needsCheckpoints?: boolean;
  /** Called before each of these; may throw or wait. */
  readonly hook?: (what: 'decode' | 'erase' | 'save' | 'load', slot: number) => Promise<void> | void;
}

/** Code point of the fake's end of generation. */
const endToken = 0;

/** A context without weights for tests of the driver: one token a character, and a script for what is generated. */
export function fakeContext(options: FakeContextOptions): { context: LlamaContext; decodes: Decode[] } {
  const { slots, contextTokens = 1000, batchTokens = 64, reply = 'Hm.\n</think>\n\nYes.', hook } = options;
  const decodes: Decode[] = [];
  const model = {
    llama: {},
    tokenize: (text: string) => [...text].map((character) => character.codePointAt(0) ?? 0),
    detokenize: (tokens: readonly number[]) => String.fromCodePoint(...tokens),
    isEogToken: (token: number) => token === endToken,
  };
  const saved = new Map<string, number[]>();
  const sequenceOf = (slot: number) => {
    let cache: number[] = [];
    const decode = async (tokens: readonly number[], isStep: boolean): Promise<void> => {
      decodes.push({ slot, tokens, isStep });
      await hook?.('decode', slot);
      await tick();
      cache.push(...tokens);
      if (cache.length > contextTokens - 1) throw new Error('the fake context would have to shift');
    };
    return {
      model,
      contextSize: contextTokens,
      needsCheckpoints: options.needsCheckpoints ?? false,
      get nextTokenIndex() {
        return cache.length;
      },
      compareContextTokens: (tokens: readonly number[]) => {
        const different = cache.findIndex((token, index) => token !== tokens[index]);
        return { firstDifferentIndex: different < 0 ? cache.length : different };
      },
      eraseContextTokenRanges: async ([range]: { start: number; end: number }[]) => {
        await hook?.('erase', slot);
        await tick();
        cache = cache.slice(0, range?.start);
      },
      saveStateToFile: async (file: string) => {
        await hook?.('save', slot);
        saved.set(file, [...cache]);
      },
      loadStateFromFile: async (file: string) => {
        cache = [];
        await hook?.('load', slot);
        cache = [...(saved.get(file) ?? [])];
      },
      clearHistory: async () => {
        cache = [];
      },
      evaluateWithoutGeneratingNewTokens: async (tokens: readonly number[]) => decode(tokens, false),
      async *evaluate(tokens: number[]): AsyncGenerator<number, void, number[] | undefined> {
        let input = tokens;
        for (const token of model.tokenize(reply)) {
          await decode(input, true);
          input = (yield token) ?? [token];
        }
        await decode(input, true);
      },
    };
  };
  const sequences = Array.from({ length: slots }, (_, slot) => sequenceOf(slot));
  let taken = 0;
  const context = {
    model,
    batchSize: batchTokens,
    contextSize: contextTokens,
    getSequence: () => {
      taken += 1;
      return sequences[taken - 1];
    },
  };
  // Only what the driver uses of a context.
  return { context: context as unknown as LlamaContext, decodes };
}
