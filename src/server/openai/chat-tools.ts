import { z } from 'zod';
import { OSLER_ERR_REQUEST_UNSUPPORTED } from '../../core/errors.ts';
import { isRecord } from '../../core/is-record.ts';
import type { AnswerGrammar } from '../../engine/engine.ts';
import type { JsonSchema } from '../../engine/json-schema-keywords.ts';
import { supportJsonSchema } from '../../engine/json-schema-support.ts';
import type { Tool } from '../../engine/tool-prompt.ts';

/** Names of functions, as OpenAI has them. */
const FunctionName = z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, 'has letters, digits, "_" and "-" only, 64 at most');

/** A function that the model may call. */
export const ToolDefinition = z.looseObject({
  type: z.string(),
  function: z
    .looseObject({
      name: FunctionName,
      description: z.string().nullish(),
      parameters: z.record(z.string(), z.unknown()).nullish().describe('JSON Schema of the arguments'),
      strict: z.boolean().nullish().describe('the arguments are held to the schema where `tool_choice` demands a call'),
    })
    .optional(),
});

export const ToolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: FunctionName }) }),
]);

/** What a request says about tools, read together. */
export interface ToolPlan {
  /** For the prompt; empty where there is nothing to call. */
  readonly tools: readonly Tool[];
  /** Holds the answer to one call; undefined: the model is free to answer in words. */
  readonly grammar?: AnswerGrammar;
  readonly maxCalls: number;
}

interface ToolRequest {
  readonly tools?: z.infer<typeof ToolDefinition>[] | null | undefined;
  readonly tool_choice?: z.infer<typeof ToolChoice> | null | undefined;
  readonly parallel_tool_calls?: boolean | null | undefined;
}

/** Reads `tools` and `tool_choice`. Throws OSLER_ERR_REQUEST_UNSUPPORTED. */
export function readTools(body: ToolRequest): ToolPlan {
  const choice = body.tool_choice ?? 'auto';
  const tools = (body.tools ?? []).map((tool, index): Tool => {
    if (tool.type !== 'function' || tool.function === undefined)
      throw new OSLER_ERR_REQUEST_UNSUPPORTED(`tools.${index}.type`, 'only tools of type "function" are offered');
    const { name, description, parameters } = tool.function;
    return {
      type: 'function',
      function: { name, ...(typeof description === 'string' && { description }), ...(isRecord(parameters) && { parameters }) },
    };
  });
  const maxCalls = body.parallel_tool_calls === false ? 1 : Infinity;
  if (choice === 'none' || (choice === 'auto' && tools.length === 0)) return { tools: [], maxCalls };
  if (choice === 'auto') return { tools, maxCalls };
  const name = choice === 'required' ? undefined : choice.function.name;
  const wanted = tools.map((tool, index) => ({ tool, index })).filter(({ tool }) => name === undefined || tool.function.name === name);
  if (wanted.length === 0)
    throw new OSLER_ERR_REQUEST_UNSUPPORTED('tool_choice', name === undefined ? 'there are no tools' : `there is no tool "${name}"`);
  const calls = wanted.map(({ tool, index }) => callSchema(tool, index));
  const [only] = calls;
  const form = calls.length === 1 && only !== undefined ? only.schema : { oneOf: calls.map(({ schema }) => schema) };
  const definitions = Object.assign({}, ...calls.map(({ defs }) => defs));
  return {
    tools,
    maxCalls,
    grammar: { type: 'json-schema', schema: { ...form, ...(Object.keys(definitions).length > 0 && { $defs: definitions }) } },
  };
}

/** The form of a call to one tool; its definitions get names that no other tool's have. */
function callSchema(tool: Tool, index: number): { schema: JsonSchema; defs: JsonSchema } {
  const { name, parameters } = tool.function;
  const support = supportJsonSchema(parameters ?? { type: 'object' });
  if ('refusal' in support) {
    const { keyword, at, why } = support.refusal;
    throw new OSLER_ERR_REQUEST_UNSUPPORTED(`tools.${index}.function.parameters`, `"${keyword}" at ${at}: ${why}`);
  }
  const { $defs: defs = {}, ...schema } = support.schema;
  const rename = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(rename);
    if (!isRecord(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, part]) => [
        key,
        key === '$ref' && typeof part === 'string' ? part.replace('#/$defs/', `#/$defs/${index}.`) : rename(part),
      ]),
    );
  };
  return {
    schema: { type: 'object', properties: { name: { const: name }, arguments: rename(schema) }, additionalProperties: false },
    defs: Object.fromEntries(Object.entries(isRecord(defs) ? defs : {}).map(([key, part]) => [`${index}.${key}`, rename(part)])),
  };
}
