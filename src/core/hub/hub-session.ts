import { OSLER_ERR_HUB_FAILED, OSLER_ERR_INTERRUPTED, isOslerError } from '../errors.ts';
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

/** Everything that the requests for one snapshot share. */
export interface HubSession {
  /** Address of the Hub without a final slash. */
  readonly endpoint: string;
  readonly token: string | null;
  readonly type: RepoType;
  readonly owner: string;
  readonly name: string;
  /** `owner/name`. */
  readonly repo: string;
  readonly revision: string;
  /** What messages call it: `owner/name`, with the revision unless it is `main`. */
  readonly label: string;
  readonly signal: AbortSignal | undefined;
  readonly timing: HubTiming;
}

/**
 * Checks what the caller gave, before any request.
 *
 * @throws OSLER_ERR_HUB_FAILED
 */
export function createHubSession(input: {
  endpoint: string;
  token: string | null;
  type: RepoType;
  repo: string;
  revision: string;
  signal?: AbortSignal | undefined;
  timing?: Partial<HubTiming> | undefined;
}): HubSession {
  const id = parseHubId(input.repo);
  if (id === undefined || id.revision !== null || id.path !== null)
    throw new OSLER_ERR_HUB_FAILED(input.repo, 'this is no name of the form owner/name. Check it.');
  if (!isRevision(input.revision)) throw new OSLER_ERR_HUB_FAILED(input.repo, `"${input.revision}" is no branch, tag or commit. Check it.`);
  // fetch refuses both of these with a message that quotes the secret; so they are looked at first.
  const address = URL.parse(input.endpoint);
  if (address === null || !/^https?:$/.test(address.protocol) || address.username !== '' || address.password !== '') {
    throw new OSLER_ERR_HUB_FAILED(
      input.repo,
      'the address of the Hub must be http(s)://host without a user name or password. Check HF_ENDPOINT.',
    );
  }
  if (input.token !== null && !/^[\u0021-\u007e]+$/.test(input.token)) {
    throw new OSLER_ERR_HUB_FAILED(
      input.repo,
      'the token has blanks, line ends or other characters that no token has. Set HF_TOKEN again.',
    );
  }
  return {
    endpoint: input.endpoint.replace(/\/+$/, ''),
    token: input.token,
    type: input.type,
    owner: id.owner,
    name: id.name,
    repo: id.repo,
    revision: input.revision,
    label: input.revision === 'main' ? id.repo : `${id.repo}@${input.revision}`,
    signal: input.signal,
    timing: { ...defaultHubTiming, ...input.timing },
  };
}

/** The repository's page, where licences are accepted; also the prefix of its files. */
export function pageOf(session: HubSession): string {
  return `${session.endpoint}/${session.type === 'dataset' ? 'datasets/' : ''}${session.repo}`;
}

/** Throws OSLER_ERR_INTERRUPTED, or the catalogue's error that the caller aborted with, once the signal has fired. */
export function throwIfInterrupted(session: HubSession): void {
  if (session.signal?.aborted !== true) return;
  const reason: unknown = session.signal.reason;
  throw isOslerError(reason)
    ? reason
    : new OSLER_ERR_INTERRUPTED(`Fetching "${session.label}" was interrupted. Run the same command again: it goes on from there.`);
}
