import { z } from 'zod';

/** Number formats that the converter writes by itself. */
export const convertedGgufTypes = ['f32', 'f16', 'bf16', 'q8_0'] as const;
/** K-quants, which llama-quantize makes out of a 16-bit GGUF. */
export const quantisedGgufTypes = ['q6_k', 'q5_k_m', 'q4_k_m'] as const;

/** Number format of a GGUF file's weights, by llama.cpp's names. */
export const GgufType = z.enum([...convertedGgufTypes, ...quantisedGgufTypes]);
export type GgufType = z.infer<typeof GgufType>;
