import { createCipheriv } from 'node:crypto';
import { type GgufTensor, type GgufValue, ggufFile } from './gguf-writer.ts';

/** How large a probe's model is: `tiny` (about 100 kB) shows whether a backend works, `speed` (about 30 MB) how fast it is. */
export type ProbeModelSize = 'tiny' | 'speed';

interface Shape {
  readonly layers: number;
  readonly width: number;
  readonly feedForward: number;
}

const shapes: Record<ProbeModelSize, Shape> = {
  tiny: { layers: 2, width: 64, feedForward: 128 },
  speed: { layers: 8, width: 512, feedForward: 1536 },
};
/** Size of a head that every backend's flash attention knows. */
const headWidth = 64;
const contextTokens = 512;
const specialTokens = ['<unk>', '<s>', '</s>'];
const vocabularySize = specialTokens.length + 256;
const ggmlType = { f32: 0, q8_0: 8 };
const fileTypeQ8 = 7;
const q8Block = { values: 32, bytes: 34 };
const tokenType = { unknown: 2, control: 3, byte: 6 };
/** Standard deviation of a uniformly random int8. */
const int8Deviation = 74;
const halfExponentBias = 15;
const halfMantissaBits = 10;

/**
 * Bytes of a small model of llama's architecture, its matrices Q8_0 with pseudo-random weights: same bytes on every machine.
 * It says nothing sensible, but a decode of it runs the kernels that a real model runs.
 */
export function probeModelBytes(size: ProbeModelSize): Buffer {
  const shape = shapes[size];
  const tensors = tensorsOf(shape);
  return ggufFile(metadataOf(shape, size), tensors);
}

function metadataOf({ layers, width, feedForward }: Shape, size: ProbeModelSize): Record<string, GgufValue> {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  return {
    'general.architecture': { string: 'llama' },
    'general.name': { string: `probe-${size}` },
    'general.file_type': { uint32: fileTypeQ8 },
    'llama.context_length': { uint32: contextTokens },
    'llama.embedding_length': { uint32: width },
    'llama.block_count': { uint32: layers },
    'llama.feed_forward_length': { uint32: feedForward },
    'llama.attention.head_count': { uint32: width / headWidth },
    'llama.attention.head_count_kv': { uint32: width / headWidth },
    'llama.attention.layer_norm_rms_epsilon': { float32: 1e-5 },
    'llama.rope.dimension_count': { uint32: headWidth },
    'llama.vocab_size': { uint32: vocabularySize },
    'tokenizer.ggml.model': { string: 'llama' },
    'tokenizer.ggml.tokens': { strings: [...specialTokens, ...bytes] },
    'tokenizer.ggml.scores': { float32s: Array.from({ length: vocabularySize }, () => 0) },
    'tokenizer.ggml.token_type': {
      int32s: [tokenType.unknown, tokenType.control, tokenType.control, ...bytes.map(() => tokenType.byte)],
    },
    'tokenizer.ggml.bos_token_id': { uint32: 1 },
    'tokenizer.ggml.eos_token_id': { uint32: 2 },
    'tokenizer.ggml.unknown_token_id': { uint32: 0 },
  };
}

function tensorsOf({ layers, width, feedForward }: Shape): GgufTensor[] {
  const random = randomBytes();
  const matrix = (name: string, row: number, rows: number): GgufTensor => ({
    name,
    shape: [row, rows],
    type: ggmlType.q8_0,
    data: q8Matrix(row, rows, random),
  });
  const norm = (name: string): GgufTensor => ({ name, shape: [width], type: ggmlType.f32, data: ones(width) });
  return [
    matrix('token_embd.weight', width, vocabularySize),
    norm('output_norm.weight'),
    ...Array.from({ length: layers }, (_, layer) => [
      norm(`blk.${layer}.attn_norm.weight`),
      matrix(`blk.${layer}.attn_q.weight`, width, width),
      matrix(`blk.${layer}.attn_k.weight`, width, width),
      matrix(`blk.${layer}.attn_v.weight`, width, width),
      matrix(`blk.${layer}.attn_output.weight`, width, width),
      norm(`blk.${layer}.ffn_norm.weight`),
      matrix(`blk.${layer}.ffn_gate.weight`, width, feedForward),
      matrix(`blk.${layer}.ffn_up.weight`, width, feedForward),
      matrix(`blk.${layer}.ffn_down.weight`, feedForward, width),
    ]).flat(),
  ];
}

/** Blocks of 32 int8 behind one half-float scale, a power of two that gives weights a deviation near 1/√row. */
function q8Matrix(row: number, rows: number, random: (bytes: number) => Buffer): Buffer {
  const data = random(((row * rows) / q8Block.values) * q8Block.bytes);
  const exponent = -Math.round(Math.log2(int8Deviation * Math.sqrt(row)));
  const scale = (exponent + halfExponentBias) << halfMantissaBits;
  for (let at = 0; at < data.length; at += q8Block.bytes) data.writeUInt16LE(scale, at);
  return data;
}

/** The key stream of AES in counter mode: fast, and the same everywhere. */
function randomBytes(): (bytes: number) => Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  return (bytes) => cipher.update(Buffer.alloc(bytes));
}

function ones(count: number): Buffer {
  const data = Buffer.alloc(4 * count);
  for (let at = 0; at < data.length; at += 4) data.writeFloatLE(1, at);
  return data;
}
