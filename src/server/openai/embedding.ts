import { z } from 'zod';
import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import type { Embeddings } from '../../engine/engine.ts';

const maxTexts = 256;
/** Refused whatever is in it, so nothing of it is looked at. */
const TokenList = z.array(z.unknown()).meta({ items: { type: 'integer' } });
/** So long a list is looked at, to say what is wrong with it: it may be of tokens. */
const maxListed = 4096;

/** Body of POST /v1/embeddings. */
export const EmbeddingRequest = z.looseObject({
  model: z.string().min(1),
  input: z
    .union(
      [
        z.string().min(1),
        z
          .array(z.union([z.string().min(1), z.int(), TokenList]))
          .min(1)
          .max(maxListed),
      ],
      'is no text, nor a list of texts',
    )
    .describe(`text, or up to ${maxTexts} of them; lists of tokens are refused`),
  encoding_format: z.enum(['float', 'base64']).nullish().describe('`base64`: 32-bit floats, little end first'),
  dimensions: z.int().min(1).nullish().describe('refused unless it is the model’s own number'),
  user: z.string().nullish().describe('accepted and not used'),
});
export type EmbeddingRequest = z.infer<typeof EmbeddingRequest>;

/** Body of the reply to POST /v1/embeddings. */
export const EmbeddingList = z
  .looseObject({
    object: z.literal('list'),
    model: z.string(),
    data: z.array(z.looseObject({ object: z.literal('embedding'), index: z.int(), embedding: z.union([z.array(z.number()), z.string()]) })),
    usage: z.looseObject({ prompt_tokens: z.int(), total_tokens: z.int() }),
  })
  .meta({ id: 'EmbeddingList' });

/** The texts to embed. Throws OSLER_ERR_REQUEST_UNSUPPORTED for what a model with `size` numbers cannot do. */
export function readEmbeddingRequest(body: EmbeddingRequest, size: number | null): string[] {
  if (size === null) throw new OSLER_ERR_REQUEST_UNSUPPORTED('model', `"${body.model}" makes no embeddings`);
  if (typeof body.dimensions === 'number' && body.dimensions !== size)
    throw new OSLER_ERR_REQUEST_UNSUPPORTED('dimensions', `the embeddings of "${body.model}" have ${size} numbers`);
  const input = typeof body.input === 'string' ? [body.input] : body.input;
  if (input.length > maxTexts) throw new OSLER_ERR_REQUEST_UNSUPPORTED('input', `${maxTexts} texts are the most at once`);
  return input.map((text) => {
    if (typeof text === 'string') return text;
    throw new OSLER_ERR_REQUEST_UNSUPPORTED('input', 'lists of tokens are not taken; send text');
  });
}

export function encodeEmbeddings(body: EmbeddingRequest, { vectors, tokens }: Embeddings) {
  const isBase64 = body.encoding_format === 'base64';
  return {
    object: 'list',
    model: body.model,
    data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: isBase64 ? base64Of(vector) : vector })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(4 * vector.length);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, 4 * index);
  return bytes.toString('base64');
}
