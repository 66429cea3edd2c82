import { type GgufType, quantisedGgufTypes } from '../../core/schema/gguf-type.ts';
import { produceFile } from './produce-file.ts';
import { runExportProgram } from './run-export-program.ts';

export type KQuant = (typeof quantisedGgufTypes)[number];
/** What llama-quantize makes out of a file of 16 or 32 bit. */
export type QuantisedGgufType = KQuant | 'q8_0';

export const isKQuant = (type: GgufType): type is KQuant => quantisedGgufTypes.some((candidate) => candidate === type);
export const isQuantised = (type: GgufType): type is QuantisedGgufType => type === 'q8_0' || isKQuant(type);

/**
 * Which of the types llama-quantize makes. It works on all cores and the converter on one, and their q8_0 is the same to the bit:
 * where it is needed for K-quants, it makes that too.
 */
export function typesForQuantizer(types: readonly GgufType[]): QuantisedGgufType[] {
  return types.some(isKQuant) ? types.filter(isQuantised) : [];
}

export interface QuantiseOptions {
  /** llama-quantize. */
  readonly program: string;
  /** GGUF of 16 or 32 bit. */
  readonly source: string;
  readonly target: string;
  readonly type: QuantisedGgufType;
  readonly threads: number;
  readonly expectedBytes: number;
  /** Looks at the file before it gets its name; what it throws goes on. */
  readonly check: (file: string) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** Makes a quantised file, whole or not at all. Throws OSLER_ERR_EXPORT_FAILED, OSLER_ERR_DISK_FULL. */
export async function quantiseGguf(options: QuantiseOptions): Promise<void> {
  const { program, source, target, type, threads, expectedBytes, signal } = options;
  await produceFile(target, async (temporary) => {
    await runExportProgram({
      program,
      words: [source, temporary, type.toUpperCase(), String(threads)],
      writes: temporary,
      target,
      expectedBytes,
      signal,
    });
    await options.check(temporary);
  });
}
