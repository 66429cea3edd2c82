import { createBranch, createRepo, HubApiError, modelInfo } from '@huggingface/hub';
import { isOslerError, OSLER_ERR_HUB_PUSH_REFUSED } from '../errors.ts';
import { notTheHub } from './hub-account.ts';
import { isCommitId } from './hub-id.ts';
import { hubFailure, type HubSession, pageOf } from './hub-session.ts';
import { createWriteFetch, standInToken, writeAdvice } from './hub-write.ts';
import { listRepository, type RepositoryFile } from './repository-listing.ts';

export type Visibility = 'private' | 'public';

/** A model repository as it stands on a branch. */
export interface RemoteRepository {
  readonly isPrivate: boolean;
  /** Commit that the branch is at. */
  readonly head: string;
  readonly files: readonly RepositoryFile[];
}

/**
 * A model repository and the state of the session's branch; undefined where there is no such repository, or none that the token may see.
 * A branch that is not there yet has main's state.
 *
 * @throws OSLER_ERR_HUB_PUSH, OSLER_ERR_INTERRUPTED
 */
export async function findRepository(session: HubSession): Promise<RemoteRepository | undefined> {
  const found = await describe(session, session.revision);
  const info = found === 'no-revision' ? await describe(session, 'main') : found;
  if (info === undefined || info === 'no-revision') return undefined;
  return { ...info, files: await listRepository(session, info.head) };
}

/**
 * Makes the repository unless it is there, and the branch, and checks that it is as visible as was asked. Never changes who may see
 * a repository that is there.
 *
 * @throws OSLER_ERR_HUB_PUSH, OSLER_ERR_HUB_PUSH_REFUSED, OSLER_ERR_INTERRUPTED
 */
export async function ensureRepository(session: HubSession, visibility: Visibility): Promise<RemoteRepository> {
  checkBranchName(session);
  if ((await describe(session, 'main')) === undefined) await create(session, visibility);
  const info = await describe(session, 'main');
  if (info === undefined || info === 'no-revision')
    throw new OSLER_ERR_HUB_PUSH_REFUSED(
      session.label,
      'the name is taken, and not by a model repository that your HF_TOKEN may see. Choose another with --repo.',
    );
  checkVisibility(session, info, visibility);
  if (session.revision !== 'main' && (await describe(session, session.revision)) === 'no-revision') await branch(session);
  const repository = await findRepository(session);
  if (repository === undefined) throw hubFailure(session, 'it went away meanwhile. Run the same command again.');
  return repository;
}

/** Refuses a repository that is public where private was asked, and the other way round. Throws OSLER_ERR_HUB_PUSH_REFUSED. */
export function checkVisibility(session: HubSession, { isPrivate }: Pick<RemoteRepository, 'isPrivate'>, visibility: Visibility): void {
  if (isPrivate === (visibility === 'private')) return;
  const settings = `${pageOf(session)}/settings`;
  throw new OSLER_ERR_HUB_PUSH_REFUSED(
    session.label,
    isPrivate
      ? `it is private, and --public was given. Leave --public out, or make it public yourself at ${settings}.`
      : `it is public, and a push is private unless you say otherwise. Add --public if everybody may see it, make it private at ${settings}, or choose another with --repo.`,
  );
}

function checkBranchName(session: HubSession): void {
  if (isCommitId(session.revision))
    throw new OSLER_ERR_HUB_PUSH_REFUSED(session.label, 'a commit cannot be added to. Give the name of a branch with --revision.');
}

async function describe(session: HubSession, revision: string): Promise<{ isPrivate: boolean; head: string } | 'no-revision' | undefined> {
  let missing: 'no-revision' | undefined;
  const asked = createWriteFetch(session, { passes: [401, 404] });
  const watched: typeof fetch = async (input, init) => {
    const response = await asked(input, init);
    if (response.headers.get('x-error-code') === 'RevisionNotFound') missing = 'no-revision';
    return response;
  };
  try {
    const info = await modelInfo({ name: session.repo, revision, hubUrl: session.endpoint, fetch: watched, additionalFields: ['sha'] });
    const head: unknown = info.sha;
    if (typeof head !== 'string' || !isCommitId(head) || typeof info.private !== 'boolean') throw notTheHub(session, 'it names no commit');
    return { isPrivate: info.private, head };
  } catch (error) {
    if (isOslerError(error)) throw error;
    if (error instanceof HubApiError) return missing;
    throw notTheHub(session, error);
  }
}

/** A repository that is there already (409) is no failure here: two pushes may begin at once. */
async function create(session: HubSession, visibility: Visibility): Promise<void> {
  await write(session, [409], async (fetch) =>
    createRepo({ repo: { type: 'model', name: session.repo }, visibility, accessToken: standInToken, hubUrl: session.endpoint, fetch }),
  );
}

async function branch(session: HubSession): Promise<void> {
  await write(session, [409], async (fetch) =>
    createBranch({
      repo: { type: 'model', name: session.repo },
      branch: session.revision,
      accessToken: standInToken,
      hubUrl: session.endpoint,
      fetch,
    }),
  );
}

async function write(session: HubSession, passes: number[], ask: (fetch: typeof globalThis.fetch) => Promise<unknown>): Promise<void> {
  try {
    await ask(createWriteFetch(session, { passes }));
  } catch (error) {
    if (isOslerError(error)) throw error;
    if (!(error instanceof HubApiError)) throw notTheHub(session, error);
    if (!passes.includes(error.statusCode)) throw hubFailure(session, writeAdvice(session, error.statusCode, error.message));
  }
}
