import { isRecord } from '../is-record.ts';
import { askedPauseMs, describeNetworkError, isOwnOrigin } from './hub-request.ts';
import { TransientFailure, withRetries } from './hub-retry.ts';
import { type HubAccess, hubFailure } from './hub-session.ts';
import { UploadBlob } from './upload-blob.ts';

/** What the official client is given in place of the token: it wants one that begins so, and would send it where it is told to. */
export const standInToken = 'hf_standin';

const longestWords = 300;

/** The link for an upload is no longer taken by the storage: a new one has to be asked for. Never leaves this folder. */
export class StaleUploadLink extends Error {}

/** How a writing client's requests are treated. */
export interface WriteFetchOptions {
  /** Statuses that go back to the client, since the caller knows what they mean. */
  readonly passes?: readonly number[];
  /** Bytes of a part read for sending so far in this try; a new try starts at 0 again. */
  readonly onSent?: (part: UploadBlob, bytes: number) => void;
}

/**
 * A `fetch` for the official client's writes: our token rule, retries with Retry-After, a watch on silence, and bodies that are
 * streamed. The client itself retries nothing and leaves the body to fetch.
 *
 * @throws OSLER_ERR_HUB_PUSH with the Hub's own words, StaleUploadLink, OSLER_ERR_INTERRUPTED
 */
export function createWriteFetch(access: HubAccess, options: WriteFetchOptions = {}): typeof fetch {
  return async (input, init = {}) => {
    const url = input instanceof Request ? input.url : String(input);
    return await withRetries(access, async (watchdog) => {
      // One failed upload of several makes the client call the others off.
      init.signal?.throwIfAborted();
      const signals = [watchdog.signal, ...(init.signal == null ? [] : [init.signal])];
      const body = watchedBody(init.body, options, () => watchdog.feed());
      let response: Response;
      try {
        response = await fetch(url, {
          ...init,
          headers: headersFor(access, url, init.headers),
          signal: AbortSignal.any(signals),
          ...(body !== undefined && { body }),
          // Without these two, fetch copies the request for a redirect that may come, and the copy keeps every byte that was sent:
          // 690 MiB of memory for a file of 600 MB, against 114 MiB with them (Node 24.21).
          ...(body instanceof UploadBlob && { window: null, redirect: 'error' as const }),
        });
        if (response.ok || (options.passes?.includes(response.status) === true && isOwnOrigin(access, url))) return await whole(response);
      } catch (error) {
        init.signal?.throwIfAborted();
        throw new TransientFailure(describeNetworkError(error));
      }
      throw await failureOf(access, url, response);
    });
  };
}

/** What the server says for people, without line ends, markup of ours and the token. */
export function quoteServer(access: Pick<HubAccess, 'token'>, text: string): string {
  const safe = access.token === null ? text : text.replaceAll(access.token, '…');
  const words = safe.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  return words.length > longestWords ? `${words.slice(0, longestWords)}…` : words;
}

/** Why the Hub refuses to take something, and what to do about it. */
export function writeAdvice(access: HubAccess, status: number, words: string): string {
  const said = words === '' ? '' : ` The Hub says: "${quoteServer(access, words)}".`;
  const tokens = `${access.endpoint}/settings/tokens`;
  if (status === 401) return `the Hub does not accept your HF_TOKEN (401). Make a new one with the right to write at ${tokens}.${said}`;
  if (status === 403)
    return `it is refused (403).${said} Check that your HF_TOKEN may write there (${tokens}) and that your account has room for it.`;
  if (status === 413) return `it is too large for the Hub (413).${said} Push less with --what, or to another account.`;
  return `the Hub answered ${status}.${said}`;
}

function watchedBody(body: RequestInit['body'], options: WriteFetchOptions, feed: () => void): RequestInit['body'] | undefined {
  if (!(body instanceof UploadBlob)) return body ?? undefined;
  let bytes = 0;
  options.onSent?.(body, 0);
  return body.watched((more) => {
    bytes += more;
    feed();
    options.onSent?.(body, bytes);
  });
}

function headersFor(access: HubAccess, url: string, given: RequestInit['headers']): Headers {
  const headers = new Headers(given);
  headers.delete('authorization');
  if (access.token !== null && isOwnOrigin(access, url)) headers.set('authorization', `Bearer ${access.token}`);
  return headers;
}

/** Reads the answer inside the try, so that a broken-off one is a failed try. */
async function whole(response: Response): Promise<Response> {
  const bytes = await response.arrayBuffer();
  return new Response(bytes.byteLength === 0 ? null : bytes, { status: response.status, headers: response.headers });
}

async function failureOf(access: HubAccess, url: string, response: Response): Promise<Error> {
  const { status, headers } = response;
  const text = await response.text().catch(() => '');
  if (status === 408 || status === 429 || status >= 500)
    return new TransientFailure(`${isOwnOrigin(access, url) ? 'the Hub' : "the Hub's storage"} answered ${status}`, askedPauseMs(headers));
  if (!isOwnOrigin(access, url)) return new StaleUploadLink(`the Hub's storage answered ${status}`);
  return hubFailure(access, writeAdvice(access, status, wordsOf(text)));
}

function wordsOf(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    return isRecord(body) && typeof body['error'] === 'string' ? body['error'] : '';
  } catch {
    return '';
  }
}
