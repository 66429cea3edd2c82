import type { Llama, LlamaEmbeddingContext, LlamaModel, Token } from 'node-llama-cpp';
import type { Embeddings, EngineEvent, GenerateRequest } from '../engine.ts';
import { backendName } from './backend-choice.ts';
import { LockstepDriver } from './driver.ts';
import type { ChildFault, LoadedInfo, LoadOptions, Question, VocabularyFacts } from './protocol.ts';
import { NativeGarbage } from './native-garbage.ts';
import { RequestFault } from './request-fault.ts';
import { PrefixCopier } from './shared-prefix.ts';
import { TurnTaking } from './turn-taking.ts';

/** What a loaded model tells its process. */
export interface ModelEvents {
  onStep(arm: number, events: readonly { id: number; event: EngineEvent }[], size: number): void;
  onFault(id: number, fault: ChildFault): void;
}

/** One copy of the weights with a context and a driver for each arm: base and tuned differ by a LoRA adapter only. */
export class LoadedModel {
  readonly info: LoadedInfo;
  readonly #model: LlamaModel;
  readonly #drivers: readonly LockstepDriver[];
  readonly #turns: TurnTaking;
  readonly #garbage: NativeGarbage;
  readonly #options: LoadOptions;
  #embedding: Promise<LlamaEmbeddingContext> | undefined;
  /** Questions under way that a cancel can end. */
  readonly #embeddingIds = new Set<number>();

  private constructor(
    model: LlamaModel,
    parts: { drivers: readonly LockstepDriver[]; turns: TurnTaking; garbage: NativeGarbage },
    options: LoadOptions,
  ) {
    const { drivers, turns, garbage } = parts;
    this.#model = model;
    this.#drivers = drivers;
    this.#turns = turns;
    this.#garbage = garbage;
    this.#options = options;
    const { llama } = model;
    const { hasEncoder, hasDecoder } = model.fileInsights;
    this.info = {
      contextTokens: Math.min(...drivers.map((driver) => driver.contextTokens)),
      slots: options.slots,
      device: `${backendName(options.backend)}${llama.gpu === false ? `, ${options.threads} threads` : ''}`,
      embeddingSize: hasEncoder && hasDecoder ? null : model.embeddingVectorSize,
    };
  }

  static async load(llama: Llama, options: LoadOptions, events: ModelEvents): Promise<LoadedModel> {
    const model = await llama.loadModel({ modelPath: options.file });
    const turns = new TurnTaking();
    const garbage = new NativeGarbage();
    // On a GPU a prompt is read about as fast as its cache travels to memory and back.
    const copier = llama.gpu === false ? ((await PrefixCopier.create()) ?? undefined) : undefined;
    const drivers: LockstepDriver[] = [];
    for (const [arm, adapter] of options.arms.entries()) {
      const context = await model.createContext({
        sequences: options.slots,
        contextSize: Math.min(options.contextTokens, model.trainContextSize),
        batchSize: options.batchTokens,
        threads: { ideal: options.threads, min: options.threads },
        batching: { itemPrioritizationStrategy: 'firstInFirstOut' },
        ...(adapter !== null && { lora: { adapters: [{ filePath: adapter.file, scale: adapter.scale }] } }),
      });
      const driver = new LockstepDriver(
        context,
        {
          onStep: (step, size) => {
            events.onStep(arm, step, size);
            garbage.check();
          },
          onFault: (id, fault) => events.onFault(id, fault),
        },
        // A GPU overlaps one context's decoding with the other's sampling.
        { slots: options.slots, tags: options.tags, copier, ...(llama.gpu === false && { turns }) },
      );
      drivers.push(driver);
    }
    return new LoadedModel(model, { drivers, turns, garbage }, options);
  }

  generate(id: number, arm: number, request: GenerateRequest): void {
    void this.#drivers[arm]?.add(id, request);
  }

  cancel(id: number): void {
    this.#embeddingIds.delete(id);
    for (const driver of this.#drivers) driver.cancel(id);
  }

  answerNow(id: number): void {
    for (const driver of this.#drivers) driver.answerNow(id);
  }

  /** What a question asks for; see `Question`. */
  async answer(id: number, question: Question): Promise<unknown> {
    switch (question.about) {
      case 'tokens':
        return this.#model.tokenize(question.text, true);
      case 'text':
        return this.#model.detokenize(this.#checked(question.tokens), true);
      case 'scores':
        return await this.#drivers[question.arm]?.score(question.prompt, question.segments).finally(() => this.#garbage.check());
      case 'distributions':
        this.#checked(question.request.tokens);
        for (const wanted of question.request.wanted) this.#checked(wanted);
        return await this.#drivers[question.arm]?.read(question.request).finally(() => this.#garbage.check());
      case 'vocabulary':
        return this.#vocabulary(question.tokens);
      case 'slots':
        return this.#drivers[question.arm]?.slots();
      case 'embeddings':
        return await this.#embed(id, question.texts).finally(() => this.#embeddingIds.delete(id));
    }
  }

  #vocabulary(asked: readonly number[]): VocabularyFacts {
    const { bos, eos, shouldPrependBosToken } = this.#model.tokens;
    return {
      size: this.#model.fileInfo.metadata.tokenizer.ggml.tokens.length,
      bosId: bos,
      eosId: eos,
      addsBos: shouldPrependBosToken,
      endIds: this.#checked(asked).filter((token) => this.#model.isEogToken(token)),
    };
  }

  /** An id beyond the vocabulary would abort the process. */
  #checked(tokens: readonly number[]): Token[] {
    const size = this.#model.fileInfo.metadata.tokenizer.ggml.tokens.length;
    return tokens.map((token) => {
      if (token < 0 || token >= size)
        throw new RequestFault({
          code: 'unsupported',
          parameter: 'tokens',
          message: `${token} is no token of this model, which has ${size}`,
        });
      return token as Token;
    });
  }

  async #embed(id: number, texts: readonly string[]): Promise<Embeddings> {
    this.#embeddingIds.add(id);
    const context = await this.#embeddingContext();
    const vectors: number[][] = [];
    let tokens = 0;
    for (const text of texts) {
      const length = context.calculateInputLength(text);
      if (length === 0) throw new RequestFault({ code: 'unsupported', parameter: 'input', message: 'a text is empty' });
      if (length >= this.info.contextTokens)
        throw new RequestFault({ code: 'too-long', message: 'text longer than the context', promptTokens: length });
      const vector = await this.#turns.run(async () => (this.#embeddingIds.has(id) ? (await context.getEmbeddingFor(text)).vector : null));
      if (vector === null) throw new Error('cancelled');
      const norm = Math.hypot(...vector);
      vectors.push(vector.map((value) => (norm === 0 ? 0 : value / norm)));
      tokens += length;
    }
    return { vectors, tokens };
  }

  /** Made at the first need, for its memory's sake; one that failed, as for want of memory, is tried again at the next. */
  async #embeddingContext(): Promise<LlamaEmbeddingContext> {
    this.#embedding ??= this.#model
      .createEmbeddingContext({
        contextSize: Math.min(this.#options.contextTokens, this.#model.trainContextSize),
        threads: this.#options.threads,
      })
      .catch((error: unknown) => {
        this.#embedding = undefined;
        throw error;
      });
    return await this.#embedding;
  }
}
