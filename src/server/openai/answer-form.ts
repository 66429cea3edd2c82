import { z } from 'zod';
import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import type { AnswerGrammar } from '../../engine/engine.ts';
import { supportJsonSchema } from '../../engine/json-schema-support.ts';

/** OpenAI's `response_format`. */
export const ResponseFormat = z.looseObject({
  type: z.enum(['text', 'json_object', 'json_schema']),
  json_schema: z
    .looseObject({
      name: z.string().optional(),
      description: z.string().nullish(),
      schema: z.record(z.string(), z.unknown()).optional(),
      strict: z.boolean().nullish().describe('the schema is enforced in any case'),
    })
    .optional(),
  schema: z.record(z.string(), z.unknown()).nullish().describe('the schema where llama-server has it, beside either type of JSON'),
});

/** The grammar for a wanted form of the answer, if any. Throws OSLER_ERR_REQUEST_UNSUPPORTED, naming the keyword. */
export function readResponseFormat(format: z.infer<typeof ResponseFormat> | null | undefined): AnswerGrammar | undefined {
  if (format === null || format === undefined || format.type === 'text') return undefined;
  if (format.json_schema?.schema === undefined && hasKeys(format.schema)) return grammarOfSchema(format.schema, 'response_format.schema');
  if (format.type === 'json_object') return { type: 'json' };
  return grammarOfSchema(format.json_schema?.schema, 'response_format.json_schema.schema');
}

/** The grammar for a JSON Schema that came as the parameter `name`. Throws OSLER_ERR_REQUEST_UNSUPPORTED. */
export function grammarOfSchema(schema: unknown, name: string): AnswerGrammar {
  if (schema === undefined) throw new OSLER_ERR_REQUEST_UNSUPPORTED(name, 'there is none');
  const support = supportJsonSchema(schema);
  if ('schema' in support) return { type: 'json-schema', schema: support.schema };
  const { keyword, at, why } = support.refusal;
  throw new OSLER_ERR_REQUEST_UNSUPPORTED(name, `"${keyword}" at ${at}: ${why}`);
}

function hasKeys(value: Readonly<Record<string, unknown>> | null | undefined): value is Readonly<Record<string, unknown>> {
  return value !== null && value !== undefined && Object.keys(value).length > 0;
}
