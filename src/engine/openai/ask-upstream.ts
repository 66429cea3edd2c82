import { isOslerError } from '../../core/errors.ts';
import type { UpstreamClient, UpstreamQuestion } from './upstream-client.ts';
import { UpstreamFailure } from './upstream-failure.ts';

/** What a server without a route answers; 200 is a page in place of JSON, as some gateways send it for anything. */
const lackingStatuses: ReadonlySet<number | null> = new Set([200, 404, 405, 501]);
/** What a server answers that is starting, busy, or behind a gateway that cannot reach it. A 500 is an answer: some services give it for a model that cannot do this. */
const passingStatuses: ReadonlySet<number | null> = new Set([null, 408, 429, 502, 503, 504]);

/**
 * Asks for what not every upstream tells. undefined: it has no such route.
 *
 * @throws UpstreamFailure, _UPSTREAM_REFUSED: any other failure says nothing of what the upstream has, so it has to be asked again
 */
export async function askWhereOffered(client: UpstreamClient, question: UpstreamQuestion, signal: AbortSignal): Promise<unknown> {
  try {
    return await client.askOnce(question, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof UpstreamFailure && lackingStatuses.has(error.status)) return undefined;
    throw located(error, question);
  }
}

/**
 * Asks for what an upstream may be without, as `askWhereOffered`; any refusal counts as "it has none".
 *
 * @throws UpstreamFailure where the failure is a passing one
 */
export async function askWhereAble(client: UpstreamClient, question: UpstreamQuestion, signal: AbortSignal): Promise<unknown> {
  try {
    return await client.askOnce(question, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (isOslerError(error) || (error instanceof UpstreamFailure && !passingStatuses.has(error.status))) return undefined;
    throw located(error, question);
  }
}

/** Names the route: these are asked beside others, and the failure alone would not tell which one it was. */
function located(error: unknown, { path }: UpstreamQuestion): unknown {
  if (!(error instanceof UpstreamFailure)) return error;
  const { askedPauseMs, isTransient, status } = error;
  return new UpstreamFailure(`${error.message}, at ${path.split('?')[0] ?? path}`, {
    askedPauseMs,
    isTransient,
    ...(status !== null && { status }),
  });
}
