import { OSLER_ERR_HUB_FAILED, OSLER_ERR_HUB_PUSH, OSLER_ERR_INTERRUPTED, isOslerError } from '../errors.ts';
import { isRevision, parseHubId } from './hub-id.ts';

/** Kinds of repository that are read. */
export type RepoType = 'model' | 'dataset';

/** How patient requests are. */
export interface HubTiming {
  /** Retries after the first try; a download that moved on meanwhile starts counting anew. */
  readonly retries: number;
  /** First pause; each next one is twice as long. */
  readonly firstPauseMs: number;
  /** The longest wait that the Hub may ask for (its rate limits work in windows of 5 minutes). */
  readonly longestPauseMs: number;
  /** Silence after which a connection counts as lost. */
  readonly idleTimeoutMs: number;
}

/** What a user waits at most for one silent server: six tries of a minute and 16 s of pauses. */
export const defaultHubTiming: HubTiming = { retries: 5, firstPauseMs: 500, longestPauseMs: 300_000, idleTimeoutMs: 60_000 };

/** The Hub puts the parts of a large file together before it answers, and a push of hours shall outlast two minutes without a line. */
const pushTiming: Partial<HubTiming> = { retries: 8, idleTimeoutMs: 300_000 };

/** What requests to the Hub share, whichever repository they are about. */
export interface HubAccess {
  /** Address of the Hub without a final slash. */
  readonly endpoint: string;
  readonly token: string | null;
  /** What messages call the thing at hand, and what is done with it. */
  readonly label: string;
  readonly purpose: 'fetch' | 'push';
  readonly signal: AbortSignal | undefined;
  readonly timing: HubTiming;
}

/** Everything that the requests for one repository share. `label` is `owner/name`, with the revision unless it is `main`. */
export interface HubSession extends HubAccess {
  readonly type: RepoType;
  readonly owner: string;
  readonly name: string;
  /** `owner/name`. */
  readonly repo: string;
  readonly revision: string;
}

/** What callers give for `HubAccess`. */
export interface HubAccessInput {
  readonly endpoint: string;
  readonly token: string | null;
  /** Default: fetch. */
  readonly purpose?: HubAccess['purpose'];
  readonly signal?: AbortSignal | undefined;
  readonly timing?: Partial<HubTiming> | undefined;
}

/** The error for what cannot be had from the Hub, or brought there. */
export function hubFailure({ purpose, label }: Pick<HubAccess, 'purpose' | 'label'>, reason: string): Error {
  return purpose === 'push' ? new OSLER_ERR_HUB_PUSH(label, reason) : new OSLER_ERR_HUB_FAILED(label, reason);
}

/**
 * Checks address and token, before any request.
 *
 * @throws OSLER_ERR_HUB_FAILED or OSLER_ERR_HUB_PUSH, by purpose
 */
export function createHubAccess(input: HubAccessInput, label: string): HubAccess {
  const purpose = input.purpose ?? 'fetch';
  // fetch refuses both of these with a message that quotes the secret; so they are looked at first.
  const address = URL.parse(input.endpoint);
  if (address === null || !/^https?:$/.test(address.protocol) || address.username !== '' || address.password !== '')
    throw hubFailure(
      { purpose, label },
      'the address of the Hub must be http(s)://host without a user name or password. Check HF_ENDPOINT.',
    );
  if (input.token !== null && !/^[\u0021-\u007e]+$/.test(input.token))
    throw hubFailure({ purpose, label }, 'the token has blanks, line ends or other characters that no token has. Set HF_TOKEN again.');
  return {
    endpoint: input.endpoint.replace(/\/+$/, ''),
    token: input.token,
    label,
    purpose,
    signal: input.signal,
    timing: { ...defaultHubTiming, ...(purpose === 'push' && pushTiming), ...input.timing },
  };
}

/**
 * Checks what the caller gave, before any request.
 *
 * @throws OSLER_ERR_HUB_FAILED or OSLER_ERR_HUB_PUSH, by purpose
 */
export function createHubSession(input: HubAccessInput & { type: RepoType; repo: string; revision: string }): HubSession {
  const id = parseHubId(input.repo);
  const about = { purpose: input.purpose ?? 'fetch', label: input.repo };
  if (id === undefined || id.revision !== null || id.path !== null)
    throw hubFailure(about, 'this is no name of the form owner/name. Check it.');
  if (!isRevision(input.revision)) throw hubFailure(about, `"${input.revision}" is no branch, tag or commit. Check it.`);
  const label = input.revision === 'main' ? id.repo : `${id.repo}@${input.revision}`;
  const access = createHubAccess(input, label);
  return { ...access, type: input.type, owner: id.owner, name: id.name, repo: id.repo, revision: input.revision };
}

/** The repository's page, where licences are accepted; also the prefix of its files. */
export function pageOf(session: HubSession): string {
  return `${session.endpoint}/${session.type === 'dataset' ? 'datasets/' : ''}${session.repo}`;
}

/** Throws OSLER_ERR_INTERRUPTED, or the catalogue's error that the caller aborted with, once the signal has fired. */
export function throwIfInterrupted({ signal, purpose, label }: HubAccess): void {
  if (signal?.aborted !== true) return;
  const reason: unknown = signal.reason;
  throw isOslerError(reason)
    ? reason
    : new OSLER_ERR_INTERRUPTED(
        `${purpose === 'push' ? 'Pushing' : 'Fetching'} "${label}" was interrupted. Run the same command again: it goes on from there.`,
      );
}
