import { sha256 } from '../core/digest.ts';
import { OSLER_ERR_MODEL_NOT_SERVED } from '../core/errors.ts';
import type { ChatTemplate } from '../engine/chat-template.ts';
import type { Engine } from '../engine/engine.ts';

/** A model under the name that clients use for it. */
export interface ServedModel {
  readonly name: string;
  /** What the name stands for: path, registry id or Hub id. */
  readonly ref: string;
  readonly engine: Engine;
  readonly template: ChatTemplate;
  /** sha256 of the weights' file; null: they are an upstream's, which does not tell. */
  readonly weightsDigest: string | null;
  /** Generations that the engine holds at once, in its slots and waiting for them; left out: it turns none away. */
  readonly capacity?: number;
  /** Seconds since 1970. */
  readonly createdSeconds: number;
}

/** Names the exact weights, or the upstream in their place, and template that made an answer, so that base is never taken for tuned. */
export function fingerprintOf(model: Pick<ServedModel, 'ref' | 'weightsDigest' | 'template'>): string {
  return `fp_${sha256(`${model.weightsDigest ?? model.ref}:${model.template.digest}`).slice(0, 16)}`;
}

/** The models of one server, by name. */
export class ServedModels {
  readonly #models: ReadonlyMap<string, ServedModel>;

  constructor(models: readonly ServedModel[]) {
    this.#models = new Map(models.map((model) => [model.name, model]));
  }

  list(): ServedModel[] {
    return [...this.#models.values()];
  }

  /** Throws OSLER_ERR_MODEL_NOT_SERVED: a wrong name never falls back to another model. */
  get(name: string): ServedModel {
    const model = this.#models.get(name);
    if (model === undefined) throw new OSLER_ERR_MODEL_NOT_SERVED(name, [...this.#models.keys()].join(', '));
    return model;
  }
}
