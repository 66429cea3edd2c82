import {
  type LlamaContextSequence,
  type LlamaGrammarEvaluationState,
  type LlamaModel,
  type SequenceEvaluateOptions,
  type Token,
  TokenBias,
} from 'node-llama-cpp';
import { createRandom } from '../../core/rng.ts';
import type { GenerateRequest, TokenLogprob } from '../engine.ts';
import { drawToken } from '../token-draw.ts';

/** Tokens that penalties look back at, as in llama-server. */
const penaltyTokens = 64;
/** With log-probabilities, the next token is drawn from so many of the most likely. */
const drawnFromTokens = 128;

/** llama.cpp's word for a seed of the moment, LLAMA_DEFAULT_SEED. */
const anySeed = 0xff_ff_ff_ff;

/** The next token; null is the end of generation. */
export interface Step {
  readonly token: Token | null;
  readonly logprob?: TokenLogprob;
}

/** Asks a sequence for one token after another. */
export interface TokenSteps {
  /** Decodes `tokens`, or the token that came last, and samples the next. */
  next(tokens?: readonly Token[]): Promise<Step>;
  /** Frees what the steps hold in the engine. */
  end(): Promise<void>;
}

export interface StepOptions {
  readonly request: GenerateRequest;
  /** Sorts the batch by slot: llama.cpp takes ascending neighbours in one pass over the weights. */
  readonly priority: number;
  /** What the next token must fit; undefined: nothing. Asked at each step. */
  readonly grammar: () => LlamaGrammarEvaluationState | undefined;
}

/** Priorities beyond the documented 1 to 5 are only compared. */
function asPriority(priority: number): 5 {
  return priority as 5;
}

/** Sampling inside llama.cpp: the fast way. */
export class NativeSteps implements TokenSteps {
  readonly #sequence: LlamaContextSequence;
  readonly #options: StepOptions;
  readonly #generated: Token[] = [];
  #iterator: AsyncGenerator<Token, void, void | Token | Token[]> | undefined;

  constructor(sequence: LlamaContextSequence, options: StepOptions) {
    this.#sequence = sequence;
    this.#options = options;
  }

  async next(tokens?: readonly Token[]): Promise<Step> {
    let result: IteratorResult<Token, void>;
    if (this.#iterator === undefined) {
      this.#iterator = this.#sequence.evaluate([...(tokens ?? [])], this.#evaluateOptions());
      result = await this.#iterator.next();
    } else {
      result = tokens === undefined ? await this.#iterator.next() : await this.#iterator.next([...tokens]);
    }
    if (result.done === true) return { token: null };
    this.#generated.push(result.value);
    if (this.#generated.length > 2 * penaltyTokens) this.#generated.splice(0, penaltyTokens);
    return { token: result.value };
  }

  async end(): Promise<void> {
    await this.#iterator?.return();
  }

  #evaluateOptions(): SequenceEvaluateOptions {
    const { request, priority, grammar } = this.#options;
    const { sampling } = request;
    const hasPenalty = sampling.repeatPenalty !== 1 || sampling.frequencyPenalty !== 0 || sampling.presencePenalty !== 0;
    return {
      temperature: sampling.temperature,
      topP: sampling.topP,
      // Left out, it would be 40, and 0 sorts the whole vocabulary: null is dropped on the way, and then there is no such sampler.
      topK: sampling.topK > 0 ? sampling.topK : (null as unknown as number),
      minP: sampling.minP,
      seed: request.seed % anySeed,
      evaluationPriority: asPriority(priority),
      ...(request.grammar && { grammarEvaluationState: grammar }),
      ...(request.logitBias && { tokenBias: biasOf(this.#sequence, request.logitBias) }),
      ...(hasPenalty && {
        repeatPenalty: {
          punishTokens: () => this.#generated.slice(-penaltyTokens),
          penalty: sampling.repeatPenalty,
          frequencyPenalty: sampling.frequencyPenalty,
          presencePenalty: sampling.presencePenalty,
        },
      }),
    };
  }
}

/**
 * Sampling here, with log-probabilities: llama.cpp's sampler only shows logits that temperature and truncation have changed,
 * so it is asked for the greatest raw ones and the total weight, and the token is drawn from those.
 */
export class ScoredSteps implements TokenSteps {
  readonly #sequence: LlamaContextSequence;
  readonly #options: StepOptions;
  readonly #random: () => number;
  readonly #recent: Token[] = [];
  #last: Token | undefined;

  constructor(sequence: LlamaContextSequence, options: StepOptions) {
    this.#sequence = sequence;
    this.#options = options;
    this.#random = createRandom(options.request.seed);
  }

  async next(tokens?: readonly Token[]): Promise<Step> {
    const { request, priority } = this.#options;
    const input = tokens ?? (this.#last === undefined ? [] : [this.#last]);
    const biased = Object.keys(request.logitBias ?? {}).map((id) => Number(id) as Token);
    const logits = { filter: { includeTop: drawnFromTokens, includeSelected: true, tokens: biased } };
    const output = await this.#sequence.controlledEvaluate(
      input.map((token, index) =>
        index < input.length - 1 ? token : [token, { generateNext: { logits, totalLogitWeight: true, options: { temperature: 0 } } }],
      ),
      { evaluationPriority: asPriority(priority) },
    );
    const next = output.at(-1)?.next;
    if (next?.logits === undefined || next.totalLogitWeight === undefined) throw new Error('the engine returned no logits');
    const candidates = [...next.logits].map(([id, logit]) => ({ id, logit })).toSorted((a, b) => b.logit - a.logit);
    const token = drawToken(candidates, {
      sampling: request.sampling,
      logitBias: request.logitBias ?? {},
      recent: this.#recent.slice(-penaltyTokens),
      random: this.#random,
    }) as Token; // one of the candidates
    this.#last = token;
    this.#recent.push(token);
    if (this.#sequence.model.isEogToken(token)) return { token: null };
    const logOfTotal = (candidates[0]?.logit ?? 0) + Math.log(next.totalLogitWeight);
    const entries = candidates.map(({ id, logit }) => ({ id, logprob: logit - logOfTotal }));
    const describe = ({ id, logprob }: { id: number; logprob: number }): { id: number; text: string; logprob: number } => ({
      id,
      text: this.#sequence.model.detokenize([id as Token], true),
      logprob,
    });
    const own = entries.find(({ id }) => id === token) ?? { id: token, logprob: -Infinity };
    if (request.topLogprobs === undefined) return { token };
    return { token, logprob: { ...describe(own), top: entries.slice(0, request.topLogprobs).map(describe) } };
  }

  async end(): Promise<void> {
    // Nothing is held between steps.
  }
}

/** Biases as logits to add, in the library's form. */
function biasOf(sequence: LlamaContextSequence, biases: Readonly<Record<string, number>>): TokenBias {
  const bias = new TokenBias(sequence.model.tokenizer);
  for (const [id, logit] of Object.entries(biases)) bias.set(Number(id) as Token, logit <= -100 ? 'never' : { logit });
  return bias;
}

/**
 * The parameter that needs our own sampling, to which the library's grammars are closed; null: none does. Log-probabilities
 * do, and a bias on an end token, which the library's bias passes over.
 */
export function parameterOutsideGrammars(
  model: LlamaModel,
  { topLogprobs, logitBias = {} }: GenerateRequest,
): 'logprobs' | 'logit_bias' | null {
  if (topLogprobs !== undefined) return 'logprobs';
  return Object.keys(logitBias).some((id) => model.isEogToken(Number(id) as Token)) ? 'logit_bias' : null;
}

/** The fast way where it can be had. */
export function createSteps(sequence: LlamaContextSequence, options: StepOptions): TokenSteps {
  const isNative = parameterOutsideGrammars(sequence.model, options.request) === null;
  return isNative ? new NativeSteps(sequence, options) : new ScoredSteps(sequence, options);
}
