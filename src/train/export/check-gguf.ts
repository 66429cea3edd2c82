import { OSLER_ERR_EXPORT_FAILED } from '../../core/errors.ts';
import type { GgufType } from '../../core/schema/gguf-type.ts';
import type { GgufContents } from './inspect-gguf.ts';

/** Formats that a K-quant mixes by design, https://github.com/ggml-org/llama.cpp/blob/master/src/llama-quant.cpp */
const formatsOf: Readonly<Partial<Record<GgufType, readonly string[]>>> = {
  q6_k: ['q6_k'],
  q5_k_m: ['q5_k', 'q6_k'],
  q4_k_m: ['q4_k', 'q5_k', 'q6_k'],
};

/**
 * Refuses a GGUF that could not be used as the model was trained: its chat template must be the run's, byte for byte, and it must
 * name the token that ends an answer.
 *
 * @throws OSLER_ERR_EXPORT_FAILED
 */
export function checkGguf(target: string, contents: GgufContents, template: string): void {
  if (contents.chatTemplate === null)
    throw new OSLER_ERR_EXPORT_FAILED(
      target,
      'it carries no chat template, so that no runtime would ask as the model was trained. Set "chat_template" in merged/tokenizer_config.json to the text of template.jinja and run the same command again.',
    );
  if (contents.chatTemplate !== template)
    throw new OSLER_ERR_EXPORT_FAILED(
      target,
      'its chat template is not that of template.jinja, which the model was trained with. Put that text into "chat_template" of merged/tokenizer_config.json and run the same command again.',
    );
  if (contents.eosToken === null)
    throw new OSLER_ERR_EXPORT_FAILED(
      target,
      'it names no token that ends an answer, so that answers would never end. Set "eos_token" in merged/tokenizer_config.json and run the same command again.',
    );
}

/** What users should know of a K-quant whose matrices are not all of its formats; null for any other file. */
export function fallbackNotice(type: GgufType, file: string, contents: Pick<GgufContents, 'matrixTypes'>): string | null {
  const expected = formatsOf[type];
  const matrices = Object.entries(contents.matrixTypes);
  const other = matrices.filter(([format]) => expected?.includes(format) === false);
  if (other.length === 0) return null;
  const [changed, all] = [other, matrices].map((entries) => entries.reduce((sum, [, count]) => sum + count, 0));
  return `${file}: ${changed} of ${all} matrices are of other formats than ${type} means (${other.map(([format, count]) => `${count} of ${format}`).join(', ')}), as their rows do not fill blocks of 256. The file is larger than others of that type, and closer to the 16-bit model.`;
}
