import { type Llama, type LlamaGrammar, LlamaGrammarEvaluationState, type LlamaModel } from 'node-llama-cpp';
import { messageOf } from '../../core/errors.ts';
import type { AnswerGrammar } from '../engine.ts';
import { RequestFault } from './request-fault.ts';

/** node-llama-cpp ends its JSON grammars with four line feeds, as a mark to stop at; without it the end of the value ends the answer. */
const endMark = String.raw` "\n\n\n\n" [\n]*`;

/**
 * Prepares a grammar for one generation; compiled ones are kept, since a schema is often asked for again.
 * Throws RequestFault `unsupported` where the grammar cannot be built.
 */
export class AnswerGrammars {
  readonly #llama: Llama;
  readonly #model: LlamaModel;
  readonly #compiled = new Map<string, Promise<LlamaGrammar>>();
  readonly #maxKept = 64;

  constructor(model: LlamaModel) {
    this.#llama = model.llama;
    this.#model = model;
  }

  async start(grammar: AnswerGrammar): Promise<LlamaGrammarEvaluationState> {
    const key = JSON.stringify(grammar);
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      compiled = this.#compile(grammar);
      compiled.catch(() => this.#compiled.delete(key));
      if (this.#compiled.size >= this.#maxKept) this.#compiled.clear();
      this.#compiled.set(key, compiled);
    }
    try {
      return new LlamaGrammarEvaluationState({ model: this.#model, grammar: await compiled });
    } catch (error) {
      throw new RequestFault({ code: 'unsupported', parameter: 'response_format', message: messageOf(error) });
    }
  }

  async #compile(grammar: AnswerGrammar): Promise<LlamaGrammar> {
    if (grammar.type === 'gbnf') return await this.#llama.createGrammar({ grammar: grammar.text });
    if (grammar.type === 'json') {
      const { grammar: text } = await this.#llama.getGrammarFor('json');
      return await this.#llama.createGrammar({ grammar: text });
    }
    // The schema was checked by the caller: node-llama-cpp takes what it does not know for null.
    const { grammar: text } = await this.#llama.createGrammarForJsonSchema(grammar.schema as { type: 'object' });
    if (!text.includes(endMark)) throw new Error('the grammar has another end than this release expects');
    return await this.#llama.createGrammar({ grammar: text.replace(endMark, '') });
  }
}
