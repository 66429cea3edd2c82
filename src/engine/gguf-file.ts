import { open, stat } from 'node:fs/promises';
import { gguf, GGMLQuantizationType } from '@huggingface/gguf';
import { messageOf, OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_MODEL_CORRUPT } from '../core/errors.ts';

/** What a GGUF file says of itself, as far as serving needs it. */
export interface GgufSummary {
  readonly file: string;
  readonly bytes: number;
  readonly architecture: string;
  /** `general.type`: a model, or a LoRA adapter for one. */
  readonly type: string;
  readonly name: string | null;
  readonly trainContextTokens: number | null;
  readonly chatTemplate: string | null;
  readonly bosToken: string;
  readonly eosToken: string;
  readonly tensorCount: number;
  /** `general.file_type`: llama.cpp's number for the quantisation. */
  readonly fileType: number | null;
}

/** Values and bytes of one block, by tensor type (ggml's `type_traits`, llama.cpp release of node-llama-cpp 3.22.1). */
const blockOf: Partial<Record<GGMLQuantizationType, readonly [values: number, bytes: number]>> = {
  [GGMLQuantizationType.F32]: [1, 4],
  [GGMLQuantizationType.F16]: [1, 2],
  [GGMLQuantizationType.BF16]: [1, 2],
  [GGMLQuantizationType.Q4_0]: [32, 18],
  [GGMLQuantizationType.Q4_1]: [32, 20],
  [GGMLQuantizationType.Q5_0]: [32, 22],
  [GGMLQuantizationType.Q5_1]: [32, 24],
  [GGMLQuantizationType.Q8_0]: [32, 34],
  [GGMLQuantizationType.Q2_K]: [256, 84],
  [GGMLQuantizationType.Q3_K]: [256, 110],
  [GGMLQuantizationType.Q4_K]: [256, 144],
  [GGMLQuantizationType.Q5_K]: [256, 176],
  [GGMLQuantizationType.Q6_K]: [256, 210],
};

/**
 * Reads a GGUF file's header in plain JavaScript and checks it: magic, version, and that every tensor lies within the file.
 * A broken file is refused here, since the native loader may abort its process on one.
 *
 * @throws OSLER_ERR_FILE_NOT_FOUND, OSLER_ERR_MODEL_CORRUPT
 */
export async function readGguf(file: string): Promise<GgufSummary> {
  const bytes = await stat(file).then(
    (entry) => (entry.isFile() ? entry.size : null),
    () => null,
  );
  if (bytes === null) throw new OSLER_ERR_FILE_NOT_FOUND(file);
  await checkMagic(file, bytes);
  const parsed = await gguf(file, { allowLocalFile: true }).catch((error: unknown) => {
    throw new OSLER_ERR_MODEL_CORRUPT(file, `its header cannot be read (${messageOf(error)})`);
  });
  for (const tensor of parsed.tensorInfos) {
    const block = blockOf[tensor.dtype];
    if (block === undefined) continue;
    const values = tensor.shape.reduce((product, side) => product * Number(side), 1);
    const end = Number(parsed.tensorDataOffset) + Number(tensor.offset) + (values / block[0]) * block[1];
    if (end > bytes)
      throw new OSLER_ERR_MODEL_CORRUPT(file, `tensor "${tensor.name}" ends at byte ${end} and the file has ${bytes}, so it was cut off`);
  }
  // The typed view of the library lists known keys only; the ones read here may be absent in any file.
  const metadata: Record<string, unknown> = { ...parsed.metadata };
  const architecture = textOf(metadata['general.architecture']) ?? 'unknown';
  const tokens = metadata['tokenizer.ggml.tokens'];
  const tokenAt = (key: string): string => {
    const id = numberOf(metadata[key]);
    return Array.isArray(tokens) && id !== null ? (textOf(tokens[id]) ?? '') : '';
  };
  return {
    file,
    bytes,
    architecture,
    type: textOf(metadata['general.type']) ?? 'model',
    name: textOf(metadata['general.name']),
    trainContextTokens: numberOf(metadata[`${architecture}.context_length`]),
    chatTemplate: textOf(metadata['tokenizer.chat_template']),
    bosToken: tokenAt('tokenizer.ggml.bos_token_id'),
    eosToken: tokenAt('tokenizer.ggml.eos_token_id'),
    tensorCount: parsed.tensorInfos.length,
    fileType: numberOf(metadata['general.file_type']),
  };
}

async function checkMagic(file: string, bytes: number): Promise<void> {
  const handle = await open(file, 'r');
  try {
    const head = Buffer.alloc(8);
    await handle.read(head, 0, 8, 0);
    if (bytes < 24 || head.toString('latin1', 0, 4) !== 'GGUF')
      throw new OSLER_ERR_MODEL_CORRUPT(file, 'it does not begin with the GGUF magic');
    const version = head.readUInt32LE(4);
    if (version < 2 || version > 3) throw new OSLER_ERR_MODEL_CORRUPT(file, `its GGUF version is ${version}, and 2 and 3 are known`);
  } finally {
    await handle.close();
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : null;
}
