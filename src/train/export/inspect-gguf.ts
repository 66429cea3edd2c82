import { GGMLQuantizationType, gguf } from '@huggingface/gguf';
import { messageOf, OSLER_ERR_EXPORT_FAILED } from '../../core/errors.ts';

/** What an exported GGUF file holds, as far as the export answers for it. */
export interface GgufContents {
  readonly chatTemplate: string | null;
  readonly bosToken: string | null;
  readonly eosToken: string | null;
  /** Whether runtimes put BOS before a text by themselves; null: the file does not say, and they differ. */
  readonly addsBos: boolean | null;
  readonly addsEos: boolean | null;
  /** Sides by tensor name, in ggml's order: the row length first. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Tensors by number format, in llama.cpp's names and lower case. */
  readonly tensorTypes: Readonly<Record<string, number>>;
  /** Formats of the tensors of a shape other than one row: what a quantisation changes. */
  readonly matrixTypes: Readonly<Record<string, number>>;
}

/** Reads the header of a GGUF file that we made. Throws OSLER_ERR_EXPORT_FAILED where it cannot be read. */
export async function inspectGguf(file: string): Promise<GgufContents> {
  const parsed = await gguf(file, { allowLocalFile: true }).catch((error: unknown) => {
    throw new OSLER_ERR_EXPORT_FAILED(file, `what was written is no readable GGUF file (${messageOf(error)})`);
  });
  // The library's type knows some keys only.
  const metadata: Record<string, unknown> = { ...parsed.metadata };
  const tokens = metadata['tokenizer.ggml.tokens'];
  const tokenAt = (key: string): string | null => {
    const id = metadata[key];
    const token: unknown = Array.isArray(tokens) && typeof id === 'number' ? tokens[id] : null;
    return typeof token === 'string' ? token : null;
  };
  const flag = (key: string): boolean | null => (typeof metadata[key] === 'boolean' ? metadata[key] : null);
  const template = metadata['tokenizer.chat_template'];
  const tensors = parsed.tensorInfos.map((tensor) => ({
    name: tensor.name,
    shape: tensor.shape.map(Number),
    type: (GGMLQuantizationType[tensor.dtype] ?? `type ${tensor.dtype}`).toLowerCase(),
  }));
  return {
    chatTemplate: typeof template === 'string' ? template : null,
    bosToken: tokenAt('tokenizer.ggml.bos_token_id'),
    eosToken: tokenAt('tokenizer.ggml.eos_token_id'),
    addsBos: flag('tokenizer.ggml.add_bos_token'),
    addsEos: flag('tokenizer.ggml.add_eos_token'),
    shapes: new Map(tensors.map(({ name, shape }) => [name, shape])),
    tensorTypes: countTypes(tensors),
    matrixTypes: countTypes(tensors.filter(({ shape }) => shape.length > 1)),
  };
}

function countTypes(tensors: readonly { readonly type: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of tensors) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}
