import { messageOf } from '../errors.ts';
import { TransientFailure, withRetries } from './hub-retry.ts';
import { type HubAccess, type HubSession, hubFailure, pageOf } from './hub-session.ts';

/**
 * Opens one URL and judges its status; the body is left to the caller.
 *
 * The token goes only to the Hub's own origin: not to a page link that points elsewhere, and fetch itself drops the header
 * on a redirect to another origin (Fetch standard, HTTP-redirect fetch, step 13), which is how large files reach their CDN.
 *
 * @throws TransientFailure where another try may help, OSLER_ERR_HUB_FAILED where it cannot
 */
export async function openHubUrl(session: HubSession, url: string, headers: Headers, signal: AbortSignal): Promise<Response> {
  const sent = new Headers(headers);
  if (session.token !== null && isOwnOrigin(session, url)) sent.set('authorization', `Bearer ${session.token}`);
  let response: Response;
  try {
    response = await fetch(url, { headers: sent, signal });
  } catch (error) {
    throw new TransientFailure(describeNetworkError(error));
  }
  // 416 tells a download that its part is of no use.
  if (response.ok || response.status === 416) return response;
  await response.body?.cancel().catch(() => undefined);
  throw failureOf(session, response);
}

/** A `fetch` for the official client: our token rule, time-outs and retries; the body is read whole inside the attempt. */
export function createApiFetch(session: HubSession): typeof fetch {
  return (input, init) =>
    withRetries(session, async (watchdog) => {
      const url = input instanceof Request ? input.url : String(input);
      const response = await openHubUrl(session, url, new Headers(init?.headers), watchdog.signal);
      try {
        return new Response(await response.arrayBuffer(), { status: response.status, headers: response.headers });
      } catch (error) {
        throw new TransientFailure(describeNetworkError(error));
      }
    });
}

/** The system's code where there is one (ECONNREFUSED, ENOTFOUND, UND_ERR_SOCKET), else the message. */
export function describeNetworkError(error: unknown): string {
  const cause: unknown = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  return `the connection failed: ${code ?? messageOf(cause)}`;
}

function failureOf(session: HubSession, response: Response): Error {
  const { status } = response;
  if (status === 408 || status === 429 || status >= 500)
    return new TransientFailure(`the Hub answered ${status}`, askedPauseMs(response.headers));
  // A signed link to the CDN that has expired is refused there; the next try gets a fresh one.
  if (response.url !== '' && !isOwnOrigin(session, response.url))
    return new TransientFailure(`"${new URL(response.url).host}" answered ${status}`);
  return hubFailure(session, adviceFor(session, status, response.headers.get('x-error-code')));
}

/** The Hub's own codes (X-Error-Code) tell apart what its statuses do not: it answers 401 also for names that do not exist. */
function adviceFor(session: HubSession, status: number, code: string | null): string {
  const tokens = `${session.endpoint}/settings/tokens`;
  const page = pageOf(session);
  if (code === 'GatedRepo' || (status === 403 && code === null)) {
    const account =
      session.token === null
        ? `then set HF_TOKEN to a token of that account (${tokens})`
        : 'with the account of your HF_TOKEN, whose token must be allowed to read it';
    return `access to it is restricted (${status}). Accept the licence on ${page}, ${account}.`;
  }
  if (code === 'RevisionNotFound') return `it has no revision "${session.revision}". Choose one from ${page}/tree/main.`;
  if (code === 'EntryNotFound') return `a file of its listing is missing (${status}). Run the same command again.`;
  if (status === 401 && session.token === null)
    return `it does not exist or is private (401). Check the name; if it is right, set HF_TOKEN to a token that may read it (${tokens}).`;
  if (status === 401)
    return `the Hub does not accept your HF_TOKEN for it (401). Check the name; if it is right, make a new token at ${tokens}.`;
  if (status === 404)
    return `there is no such ${session.type} (404). Check the name${session.token === null ? '; if it is private, set HF_TOKEN' : ' and whether your HF_TOKEN may read it'}.`;
  return `the Hub answered ${status}. Look at ${page}.`;
}

/** Whether an address is the Hub's own; no other one gets the token. */
export function isOwnOrigin(session: Pick<HubAccess, 'endpoint'>, url: string): boolean {
  return URL.parse(url)?.origin === new URL(session.endpoint).origin;
}

/** Retry-After (seconds or a date), or the seconds left in the Hub's own `RateLimit: "api";r=0;t=55`. */
export function askedPauseMs(headers: Headers): number {
  const retryAfter = headers.get('retry-after');
  if (retryAfter !== null && /^\d+$/.test(retryAfter)) return Number(retryAfter) * 1000;
  if (retryAfter !== null) return Math.max(0, (Date.parse(retryAfter) || 0) - Date.now());
  const seconds = /;\s*r=0\s*;\s*t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1];
  return seconds === undefined ? 0 : (Number(seconds) + 1) * 1000;
}
