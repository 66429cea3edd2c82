import type { GgufType } from '../../core/schema/gguf-type.ts';

/**
 * Bytes a weight, at most. Those of K-quants are for rows that do not fill their blocks of 256, where llama-quantize takes
 * larger formats; a model with full rows comes out at 0.82, 0.71 and 0.61.
 */
const bytesPerWeight: Readonly<Record<GgufType, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  q8_0: 34 / 32,
  q6_k: 34 / 32,
  q5_k_m: 0.95,
  q4_k_m: 0.85,
};
/** Header with vocabulary and template. */
const headerBytes = 32 << 20;

/** About the most that a GGUF of a type takes, by the number of weights. */
export function expectedBytes(type: GgufType, weights: number): number {
  return Math.ceil(weights * bytesPerWeight[type]) + headerBytes;
}
