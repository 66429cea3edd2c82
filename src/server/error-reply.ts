import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import {
  isOslerError,
  OSLER_ERR_INTERNAL,
  OSLER_ERR_REQUEST_INVALID,
  OSLER_ERR_REQUEST_UNSUPPORTED,
  type OslerError,
} from '../core/errors.ts';

/** An error as OpenAI's clients read it. */
export interface ErrorBody {
  readonly error: { readonly message: string; readonly type: string; readonly param: string | null; readonly code: string };
}

/** The body for any thrown value. What is not from the catalogue shows a request id and nothing else: no stack, path, prompt or patient text. */
export function errorBodyOf(error: unknown, requestId: string): { status: number; body: ErrorBody } {
  const known = knownErrorOf(error, requestId);
  return {
    status: known.statusCode,
    body: { error: { message: known.message, type: typeOf(known.statusCode), param: paramOf(error), code: known.code } },
  };
}

/** Fastify's one error handler. */
export function handleError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const { status, body } = errorBodyOf(error, request.id);
  if (status >= 500) logFailure(request, error, 'request failed');
  if (status === 503) void reply.header('retry-after', '5');
  void reply.status(status).send(body);
}

/** Logs what broke and where, without its message: that may quote a prompt or an answer. */
export function logFailure(request: FastifyRequest, error: unknown, message: string): void {
  if (isOslerError(error)) {
    request.log.error({ code: error.code }, message);
    return;
  }
  const name = error instanceof Error ? error.name : typeof error;
  const frames = error instanceof Error ? (error.stack?.replace(error.message, '').match(/^ +at .+$/gm) ?? []) : [];
  request.log.error({ error: name, stack: frames.map((frame) => frame.trim()) }, message);
}

function knownErrorOf(error: unknown, requestId: string): OslerError {
  if (isOslerError(error)) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const lines = error.validation.map((issue) => `${fieldOf(issue.instancePath) || 'body'}: ${issue.message ?? 'is not valid'}`);
    return new OSLER_ERR_REQUEST_INVALID(`The request has ${lines.length} problem(s): ${lines.join('; ')}`);
  }
  // Fastify's own complaints about the request (bad JSON, too large) are safe to show.
  if (
    error instanceof Error &&
    'statusCode' in error &&
    typeof error.statusCode === 'number' &&
    error.statusCode >= 400 &&
    error.statusCode < 500
  ) {
    return Object.assign(new OSLER_ERR_REQUEST_INVALID(error.message), { statusCode: error.statusCode });
  }
  return new OSLER_ERR_INTERNAL(requestId);
}

function paramOf(error: unknown): string | null {
  if (hasZodFastifySchemaValidationErrors(error)) return fieldOf(error.validation[0]?.instancePath ?? '') || null;
  if (error instanceof OSLER_ERR_REQUEST_UNSUPPORTED) return /^The parameter "(.+?)"/.exec(error.message)?.[1] ?? null;
  return null;
}

function fieldOf(instancePath: string): string {
  return instancePath.split('/').filter(Boolean).join('.');
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 404) return 'not_found_error';
  if (status === 503) return 'overloaded_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
