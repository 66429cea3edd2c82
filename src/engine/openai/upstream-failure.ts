import { isRecord } from '../../core/is-record.ts';
import { OSLER_ERR_REQUEST_TOO_LONG, OSLER_ERR_UPSTREAM_REFUSED } from '../../core/errors.ts';

const maxErrorCharacters = 64 << 10;
/** Names of parameters and codes; anything longer or freer could quote a prompt. */
const safeWord = /^[\w.[\]-]{1,64}$/;

/** Why one attempt failed, in words that quote nothing of its content. */
export class UpstreamFailure extends Error {
  /** Another attempt may do better. */
  readonly isTransient: boolean;
  /** How long the upstream asks to wait. */
  readonly askedPauseMs: number;
  /** What it answered; null: nothing. */
  readonly status: number | null;

  constructor(message: string, options: { isTransient?: boolean; askedPauseMs?: number; status?: number } = {}) {
    super(message);
    this.isTransient = options.isTransient ?? false;
    this.askedPauseMs = options.askedPauseMs ?? 0;
    this.status = options.status ?? null;
  }
}

/** What a failed `fetch`, or a body that broke off, means: the system's code where there is one, never the message. */
export function failureOfNetwork(error: unknown): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  const cause: unknown = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'no reason given';
  return new UpstreamFailure(`the connection failed (${code})`, { isTransient: true });
}

/** What a status other than 2xx means: a passing failure, a final one, or an error of the catalogue about the request itself. */
export async function failureOfResponse(name: string, response: Response, hasKey: boolean): Promise<Error> {
  const { status } = response;
  if (status >= 300 && status < 400) {
    await response.body?.cancel();
    return new UpstreamFailure(`it answers with a redirect (${status}), which is not followed: name the final address`, { status });
  }
  const fault = readFault(await response.text());
  if (isTooLong(fault)) return tooLong(name, fault);
  if (status === 401 || status === 403)
    return new UpstreamFailure(
      hasKey ? `it does not accept the key of OSLER_UPSTREAM_KEYS (${status})` : `it asks for a key (${status}): set OSLER_UPSTREAM_KEYS`,
      { status },
    );
  if (status === 404 || status === 405) return new UpstreamFailure(`it has no such model or no such route (${status})`, { status });
  if (status === 501) return new UpstreamFailure(['it does not offer this (501)', ...detailsOf(fault)].join(', '), { status });
  if (status === 408 || status === 429 || status >= 500)
    return new UpstreamFailure(`it answered ${status}`, { status, isTransient: true, askedPauseMs: askedPauseMs(response.headers) });
  return new OSLER_ERR_UPSTREAM_REFUSED(name, [`it answered ${status}`, ...detailsOf(fault)].join(', '));
}

/** What an error within a stream means; after the first token nothing is tried again, so only its kind matters. */
export function failureOfStreamError(name: string, error: unknown): Error {
  const fault = isRecord(error) ? error : {};
  if (isTooLong(fault)) return tooLong(name, fault);
  const code = typeof fault['code'] === 'number' ? fault['code'] : 500;
  return new UpstreamFailure(['it reported an error in its stream', ...detailsOf(fault)].join(', '), { isTransient: code >= 500 });
}

function readFault(text: string): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(text.slice(0, maxErrorCharacters));
    if (!isRecord(body)) return {};
    // Older vLLM sends the error's fields without an envelope.
    return isRecord(body['error']) ? body['error'] : body;
  } catch {
    return {};
  }
}

function detailsOf(fault: Record<string, unknown>): string[] {
  return (['code', 'type', 'param'] as const).flatMap((field) => {
    const value = fault[field];
    return typeof value === 'string' && safeWord.test(value) ? [`${field} "${value}"`] : [];
  });
}

/** Codes of OpenAI, llama-server and ourselves; vLLM and DeepSeek say it only in words. */
function isTooLong(fault: Record<string, unknown>): boolean {
  const codes = ['context_length_exceeded', 'exceed_context_size_error', 'OSLER_ERR_REQUEST_TOO_LONG'];
  return (
    codes.includes(String(fault['code'])) ||
    codes.includes(String(fault['type'])) ||
    /maximum context length|longer than the maximum model length/i.test(String(fault['message']))
  );
}

function tooLong(name: string, fault: Record<string, unknown>): Error {
  const message = String(fault['message']);
  const find = (...patterns: RegExp[]): string | undefined => patterns.map((pattern) => pattern.exec(message)?.[1]).find(Boolean);
  const promptTokens = find(
    /(\d+) in the (?:messages|prompt)/,
    /contains (?:at least )?(\d+) input/,
    /prompt has (\d+)/,
    /resulted in (\d+)/,
  );
  const contextTokens = find(/context length is (\d+)/, /holds (\d+)/);
  return new OSLER_ERR_REQUEST_TOO_LONG(
    fault['n_prompt_tokens'] ?? promptTokens ?? 'too many',
    name,
    fault['n_ctx'] ?? contextTokens ?? 'fewer',
  );
}

/** `Retry-After` in milliseconds: seconds, or a date. */
function askedPauseMs(headers: Headers): number {
  const value = headers.get('retry-after');
  if (value === null) return 0;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - Date.now());
}
