import fastifySwagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { CheckFinding } from '../core/schema/training-check.ts';
import { packageVersion } from '../core/package-version.ts';

/** Chapters of the description. */
const tags = {
  openai: 'OpenAI’s interface',
  tools: 'Tokens and templates, as llama-server has them',
  runs: 'Trainings',
  system: 'State of the server',
} as const;

export const researchNotice = 'For research only. Not a medical device: no answer may guide the care of a patient.';

/** The body of every error, in OpenAI's shape. */
export const ErrorReply = z
  .looseObject({
    error: z.looseObject({
      message: z.string(),
      type: z.string().describe('kind of the error, by its status'),
      param: z.string().nullable().describe('field of the request that it is about'),
      code: z.string().describe('see docs/errors.md'),
      n_prompt_tokens: z.int().optional().describe('of a prompt that is too long'),
      n_ctx: z.int().optional().describe('tokens that the context holds'),
      findings: z.array(CheckFinding).optional().describe('of a training that was refused: everything that its check found'),
    }),
  })
  .meta({ id: 'Error' });

const errors = {
  400: 'the request is wrong, or asks for what this server cannot do',
  401: 'no API key, or an unknown one',
  403: 'the key lacks the scope',
  404: 'there is no such thing',
  408: 'the request did not arrive in time',
  409: 'it contradicts the present state',
  413: 'the body is too large',
  414: 'a name in the path is too long',
  415: 'the body is no JSON',
  421: 'the host is not this server',
  422: 'the model or its template cannot take it',
  424: 'what it needs is missing, or too small',
  429: 'too many requests; Retry-After says when to try again',
  499: 'the client left',
  500: 'the server failed; its log has the request’s id',
  502: 'the upstream of the model failed',
  503: 'no room or no engine now; Retry-After says when to try again',
} as const;

interface RouteDescription {
  readonly tag: keyof typeof tags;
  readonly summary: string;
  readonly description?: string;
  /** By status; errors are added. */
  readonly response: Readonly<Record<number, unknown>>;
}

/**
 * Schemas of a route with its description for /openapi.json. Replies are described and not checked at run time: tests hold them
 * to their schemas, and a stream is not worth a look at each chunk.
 */
export function describeRoute<T extends Readonly<Partial<Record<'body' | 'params' | 'querystring' | 'headers', z.ZodType>>>>(
  input: T,
  { tag, summary, description, response }: RouteDescription,
): T {
  const failures = Object.fromEntries(Object.entries(errors).map(([status, text]) => [status, json(ErrorReply, text)]));
  return { ...input, tags: [tag], summary, ...(description !== undefined && { description }), response: { ...failures, ...response } };
}

/** A reply in JSON. */
export function json(schema: z.ZodType, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** One event of a stream, as OpenAPI looks at each. */
const StreamEvent = z
  .looseObject({ event: z.string().optional(), data: z.string().optional().describe('JSON, or `[DONE]`') })
  .meta({ id: 'StreamEvent' });

/** Server-sent events. */
export const eventStream = { 'text/event-stream': { schema: StreamEvent } };

/** A reply that is a whole object or, where the request says `stream`, server-sent events. */
export function answerOrStream(schema: z.ZodType, description: string) {
  return { description, content: { 'application/json': { schema }, ...eventStream } };
}

/** Describes all routes that are registered after it, at GET /openapi.json. */
export async function describeApp(app: FastifyInstance): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Osler',
        version: packageVersion(),
        description: `Serves tuned medical reasoning models. ${researchNotice}`,
        license: { name: 'Apache-2.0' },
      },
      tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }, {}],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}
