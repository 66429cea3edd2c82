import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import {
  isOslerError,
  OSLER_ERR_ENGINE_FAILED,
  OSLER_ERR_ENGINE_LOAD,
  OSLER_ERR_INTERNAL,
  OSLER_ERR_REQUEST_INVALID,
  OSLER_ERR_REQUEST_TOO_LONG,
  OSLER_ERR_REQUEST_TOO_LARGE,
  OSLER_ERR_REQUEST_UNSUPPORTED,
  type OslerError,
} from '../core/errors.ts';
import type { CheckFinding } from '../core/schema/training-check.ts';
import { findingsOf } from './refused-training.ts';
import { retryAfterOf, saysWhenToRetry } from './retry-after.ts';
import { isFieldError } from './validate-request.ts';

/** An error as OpenAI's clients read it. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
    /** Of a prompt that is too long, as llama-server tells it. */
    readonly n_prompt_tokens?: number;
    readonly n_ctx?: number;
    /** Of a training that was refused: everything that its check found. */
    readonly findings?: readonly CheckFinding[];
  };
}

/** The body for any thrown value. What is not from the catalogue shows a request id and nothing else: no stack, path, prompt or patient text. */
export function errorBodyOf(error: unknown, requestId: string): { status: number; body: ErrorBody } {
  const known = knownErrorOf(error, requestId);
  const findings = findingsOf(error);
  return {
    status: known.statusCode,
    body: {
      error: {
        message: publicMessageOf(known),
        type: typeOf(known.statusCode),
        param: paramOf(error),
        code: known.code,
        ...lengthsOf(known),
        ...(findings !== undefined && { findings }),
      },
    },
  };
}

/** Fastify's one error handler. */
export function handleError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const isTooLarge = error.code === 'FST_ERR_CTP_BODY_TOO_LARGE';
  // The rest is read and dropped: a connection closed upon a client that still sends loses it the reply.
  if (isTooLarge) void reply.removeHeader('connection');
  const known = isTooLarge ? new OSLER_ERR_REQUEST_TOO_LARGE(request.server.initialConfig.bodyLimit ?? 'so many') : error;
  const { status, body } = errorBodyOf(known, request.id);
  // What says when to come again is refused in order, by the hundred where the load is high, and no fault to look into.
  if (status >= 500 && !saysWhenToRetry(error)) logFailure(request, error, 'request failed');
  if (status === 503 || status === 429) void reply.header('retry-after', retryAfterOf(error));
  if (status === 401) void reply.header('www-authenticate', 'Bearer realm="osler"');
  void reply.status(status).send(body);
}

/** Logs what broke and where, without its message: that may quote a prompt or an answer. */
export function logFailure(request: Pick<FastifyRequest, 'log'>, error: unknown, message: string): void {
  if (isOslerError(error)) {
    // What the native code said last is worth a look, and quotes nobody.
    request.log.error({ code: error.code, ...(isOfEngine(error) && { reason: error.message }) }, message);
    return;
  }
  const name = error instanceof Error ? error.name : typeof error;
  const frames = error instanceof Error ? (error.stack?.replace(error.message, '').match(/^ +at .+$/gm) ?? []) : [];
  request.log.error({ error: name, stack: frames.map((frame) => frame.trim()) }, message);
}

function knownErrorOf(error: unknown, requestId: string): OslerError {
  if (isOslerError(error)) return error;
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

/** Why an engine died is for the log: native code names files of this machine. */
function publicMessageOf(error: OslerError): string {
  if (!isOfEngine(error)) return error.message;
  const name = /[Mm]odel "(.+?)"/.exec(error.message)?.[1] ?? '';
  return error instanceof OSLER_ERR_ENGINE_LOAD
    ? `Model "${name}" could not be loaded. The server’s log says why.`
    : `The engine of model "${name}" stopped. It is being restarted; send the request again.`;
}

function isOfEngine(error: OslerError): boolean {
  return error instanceof OSLER_ERR_ENGINE_FAILED || error instanceof OSLER_ERR_ENGINE_LOAD;
}

/** For clients that cut a long prompt: OpenAI's and llama-server's name for it, with both lengths. */
function lengthsOf(error: OslerError): { type?: string; n_prompt_tokens?: number; n_ctx?: number } {
  if (!(error instanceof OSLER_ERR_REQUEST_TOO_LONG)) return {};
  const [, promptTokens, contextTokens] = / has (\d+) tokens .* holds (\d+)/.exec(error.message) ?? [];
  if (promptTokens === undefined || contextTokens === undefined) return {};
  return { type: 'exceed_context_size_error', n_prompt_tokens: Number(promptTokens), n_ctx: Number(contextTokens) };
}

function paramOf(error: unknown): string | null {
  if (isFieldError(error)) return error.param;
  if (error instanceof OSLER_ERR_REQUEST_UNSUPPORTED) return /^The parameter "(.+?)"/.exec(error.message)?.[1] ?? null;
  return null;
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  if (status === 404) return 'not_found_error';
  if (status === 503) return 'overloaded_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
