import { datasetInfo, listFiles, modelInfo } from '@huggingface/hub';
import { z } from 'zod';
import { isOslerError, messageOf } from '../errors.ts';
import { isCommitId } from './hub-id.ts';
import { createApiFetch } from './hub-request.ts';
import { type HubSession, hubFailure } from './hub-session.ts';
import { isSafeRepositoryPath } from './repository-path.ts';

const maximumFiles = 500_000;

/** A file of a commit and how it proves itself: large (LFS) files by sha256, others as git names their blob. */
export const RepositoryFile = z.object({
  path: z.string().refine(isSafeRepositoryPath, 'leaves the folder'),
  bytes: z.int().min(0),
  checksum: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('sha256'), hex: z.string().regex(/^[0-9a-f]{64}$/) }),
    z.object({ kind: z.literal('git-sha1'), hex: z.string().regex(/^[0-9a-f]{40}$/) }),
  ]),
});
export type RepositoryFile = z.infer<typeof RepositoryFile>;

/**
 * The commit that a branch, tag or commit id means now.
 *
 * @throws OSLER_ERR_HUB_FAILED, OSLER_ERR_INTERRUPTED
 */
export async function resolveCommit(session: HubSession): Promise<string> {
  const query = { name: session.repo, revision: session.revision, hubUrl: session.endpoint, fetch: createApiFetch(session) };
  const { sha } = await understood(session, async () =>
    session.type === 'model'
      ? await modelInfo({ ...query, additionalFields: ['sha'] })
      : await datasetInfo({ ...query, additionalFields: ['sha'] }),
  );
  // The client types what the server sends without looking at it.
  if (typeof sha !== 'string' || !isCommitId(sha)) throw hubFailure(session, 'the Hub names no commit for it. Check HF_ENDPOINT.');
  if (isCommitId(session.revision) && sha !== session.revision)
    throw hubFailure(session, `the Hub gives commit "${sha}" for it. Check HF_ENDPOINT.`);
  return sha;
}

/**
 * Every file of a commit. Names that would leave the folder make it fail as a whole, before anything is written.
 *
 * @throws OSLER_ERR_HUB_FAILED, OSLER_ERR_INTERRUPTED
 */
export async function listRepository(session: HubSession, commit: string): Promise<RepositoryFile[]> {
  const files: RepositoryFile[] = [];
  // The token is left to our fetch: the client would send it wherever a page link points, and takes only tokens of the form hf_….
  const entries = listFiles({
    repo: { type: session.type, name: session.repo },
    revision: commit,
    recursive: true,
    hubUrl: session.endpoint,
    fetch: createApiFetch(session),
  });
  await understood(session, async () => {
    for await (const entry of entries) {
      if (entry.type !== 'file') continue;
      if (files.length >= maximumFiles) throw hubFailure(session, `it has more than ${maximumFiles} files, which is the limit.`);
      files.push(checkedFile(session, entry));
    }
  });
  return files;
}

function checkedFile(
  session: HubSession,
  entry: { path: string; size: number; oid?: string; lfs?: { oid: string; size: number } },
): RepositoryFile {
  const checksum = entry.lfs === undefined ? { kind: 'git-sha1', hex: entry.oid } : { kind: 'sha256', hex: entry.lfs.oid };
  const parsed = RepositoryFile.safeParse({ path: entry.path, bytes: entry.lfs?.size ?? entry.size, checksum });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  throw hubFailure(session, `its listing has an unusable file ${JSON.stringify(entry.path)} (${problems}). No file of it was written.`);
}

async function understood<T>(session: HubSession, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (isOslerError(error)) throw error;
    throw hubFailure(session, `"${session.endpoint}" does not answer like the Hub (${messageOf(error)}). Check HF_ENDPOINT.`);
  }
}
