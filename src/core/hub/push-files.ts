import { createHash } from 'node:crypto';
import { OSLER_ERR_HUB_PUSH_REFUSED } from '../errors.ts';
import { BranchMoved, commitFiles, type UploadProgress } from './commit-files.ts';
import { createHubSession, type HubAccessInput, type HubSession, pageOf, throwIfInterrupted } from './hub-session.ts';
import { manifestPath, type PushManifest, readPushManifest } from './push-manifest.ts';
import { checkVisibility, ensureRepository, findRepository, type RemoteRepository, type Visibility } from './remote-repository.ts';
import type { RepositoryFile } from './repository-listing.ts';
import { UploadBlob } from './upload-blob.ts';

/** git's own name of a file is only needed below this; larger ones are LFS files on the Hub. */
const largestGitBytes = 64 << 20;

/** A file to push: text, or a file of this machine, with the sha256 that it must have where that is known. */
export interface PushFile {
  /** In the repository. */
  readonly path: string;
  readonly content: { readonly text: string } | { readonly file: string; readonly sha256: string | null };
}

/** What to push, and where to. */
export interface PushRequest extends Omit<HubAccessInput, 'purpose'> {
  /** `owner/name`. */
  readonly repo: string;
  /** Branch; made where it is missing. */
  readonly revision: string;
  readonly visibility: Visibility;
  /** Whose files these are. A former push of another run is replaced, one of the same run is added to. */
  readonly run: string;
  readonly title: string;
  /** The files, given what an earlier push of the same run put there. Paths must be safe and appear once. */
  readonly files: (former: PushManifest | undefined) => Promise<readonly PushFile[]>;
  /** Looks and hashes, and changes nothing. */
  readonly isDryRun: boolean;
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined;
}

/** What a push did, or in a dry run would do. */
export interface PushOutcome {
  readonly repo: string;
  readonly revision: string;
  readonly isNew: boolean;
  /** null: in a dry run. */
  readonly commit: string | null;
  readonly url: string;
  /** Run whose files were replaced. */
  readonly replacedRun: string | null;
  readonly sent: readonly { readonly path: string; readonly bytes: number }[];
  /** Paths that were as they should be already. */
  readonly kept: readonly string[];
  readonly deleted: readonly string[];
}

interface Prepared {
  readonly path: string;
  readonly blob: Blob;
  readonly sha256: string;
  readonly gitSha1: string | null;
}

/**
 * Brings a branch of a model repository to the given files, in one commit. What is there with the same checksum is not sent; files that no
 * push put there are neither changed nor removed. Broken off, nothing has changed, and the next call goes on.
 *
 * @throws OSLER_ERR_HUB_PUSH, OSLER_ERR_HUB_PUSH_REFUSED, OSLER_ERR_INTERRUPTED
 */
export async function pushFiles(request: PushRequest): Promise<PushOutcome> {
  const stop = new AbortController();
  const signal = request.signal === undefined ? stop.signal : AbortSignal.any([request.signal, stop.signal]);
  const session = createHubSession({ ...request, type: 'model', purpose: 'push', signal });
  throwIfInterrupted(session);
  const remote = await openRemote(session, request);
  const former = remote === undefined ? undefined : await readPushManifest(session, remote);
  const ours = former?.run === request.run ? former : undefined;
  const prepared = await prepareAll(session, await request.files(ours), stop, request.onProgress);
  const kept = (ours?.files ?? []).filter((file) => file.path !== manifestPath && prepared.every(({ path }) => path !== file.path));
  prepared.push(manifestOf(request.run, prepared, kept));
  const change = differences(session, remote, former, prepared, new Set(kept.map((file) => file.path)));
  const outcome = {
    repo: session.repo,
    revision: session.revision,
    isNew: remote === undefined,
    url: pageOf(session),
    replacedRun: former !== undefined && ours === undefined ? former.run : null,
    sent: change.additions.map(({ path, blob }) => ({ path, bytes: blob.size })),
    kept: prepared.filter((file) => !change.additions.includes(file)).map(({ path }) => path),
    deleted: change.deletions,
  };
  if (remote === undefined || request.isDryRun) return { ...outcome, commit: null };
  if (change.additions.length === 0 && change.deletions.length === 0) return { ...outcome, commit: remote.head };
  return { ...outcome, commit: await commitChange(session, request, remote.head, change) };
}

async function openRemote(session: HubSession, request: PushRequest): Promise<RemoteRepository | undefined> {
  if (!request.isDryRun) return await ensureRepository(session, request.visibility);
  if (session.token === null) return undefined;
  const found = await findRepository(session);
  if (found !== undefined) checkVisibility(session, found, request.visibility);
  return found;
}

async function prepareAll(
  session: HubSession,
  files: readonly PushFile[],
  stop: AbortController,
  onProgress: PushRequest['onProgress'],
): Promise<Prepared[]> {
  // The abort reaches every request at once, and its reason is what the user reads.
  const onChange = (file: string): Error => {
    const error = new OSLER_ERR_HUB_PUSH_REFUSED(
      session.label,
      `"${file}" changed while it was read. Push again when nothing works on it.`,
    );
    stop.abort(error);
    return error;
  };
  const blobs = await Promise.all(
    files.map(async ({ path, content }) => ({
      path,
      expected: 'file' in content ? content.sha256 : null,
      blob: 'file' in content ? await UploadBlob.create(content.file, onChange) : new Blob([content.text]),
    })),
  );
  const totalBytes = blobs.reduce((sum, { blob }) => sum + blob.size, 0);
  let doneBytes = 0;
  const prepared: Prepared[] = [];
  for (const { path, blob, expected } of blobs) {
    throwIfInterrupted(session);
    const digests = await digestsOf(session, blob, (bytes) => {
      doneBytes += bytes;
      onProgress?.({ phase: 'hashing', path, doneBytes, totalBytes });
    });
    if (expected !== null && digests.sha256 !== expected)
      throw new OSLER_ERR_HUB_PUSH_REFUSED(
        session.label,
        `"${blob instanceof UploadBlob ? blob.file : path}" is not as it was written: its sha256 is "${digests.sha256}", and "${expected}" is noted in the run. Make it again.`,
      );
    prepared.push({ path, blob, ...digests });
  }
  return prepared;
}

async function digestsOf(session: HubSession, blob: Blob, onBytes: (bytes: number) => void): Promise<Pick<Prepared, 'sha256' | 'gitSha1'>> {
  const sha256 = createHash('sha256');
  const sha1 = blob.size > largestGitBytes ? undefined : createHash('sha1').update(`blob ${blob.size}\0`);
  // A Blob's stream yields bytes; its type says any.
  for await (const chunk of blob.stream() as unknown as AsyncIterable<Uint8Array>) {
    throwIfInterrupted(session);
    sha256.update(chunk);
    sha1?.update(chunk);
    onBytes(chunk.length);
  }
  return { sha256: sha256.digest('hex'), gitSha1: sha1?.digest('hex') ?? null };
}

function manifestOf(run: string, prepared: readonly Prepared[], kept: PushManifest['files']): Prepared {
  const files = [...kept, ...prepared.map(({ path, blob, sha256, gitSha1 }) => ({ path, bytes: blob.size, sha256, gitSha1 }))];
  const manifest: PushManifest = { schemaVersion: 1, run, files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)) };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  const bytes = Buffer.from(text);
  return {
    path: manifestPath,
    blob: new Blob([bytes]),
    sha256: createHash('sha256').update(bytes).digest('hex'),
    gitSha1: createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex'),
  };
}

interface Difference {
  readonly additions: readonly Prepared[];
  readonly deletions: readonly string[];
}

function differences(
  session: HubSession,
  remote: RemoteRepository | undefined,
  former: PushManifest | undefined,
  prepared: readonly Prepared[],
  kept: ReadonlySet<string>,
): Difference {
  const there = new Map(remote?.files.map((file) => [file.path, file]));
  const pushed = new Set(former?.files.map((file) => file.path)).add(manifestPath);
  const additions = prepared.filter((file) => !isSame(file, there.get(file.path)));
  const foreign = additions.filter(({ path }) => there.has(path) && !pushed.has(path)).map(({ path }) => path);
  if (foreign.length > 0)
    throw new OSLER_ERR_HUB_PUSH_REFUSED(
      session.label,
      `it has files that no push of Osler put there, or that were changed there since, and this one would overwrite them: ${foreign.slice(0, 5).join(', ')}${foreign.length > 5 ? ', …' : ''}. Choose another with --repo, a branch of its own with --revision, or remove them there first.`,
    );
  const wanted = new Set(prepared.map(({ path }) => path));
  const deletions = [...pushed].filter((path) => there.has(path) && !wanted.has(path) && !kept.has(path));
  return { additions, deletions };
}

function isSame(file: Prepared, there: RepositoryFile | undefined): boolean {
  if (there === undefined || there.bytes !== file.blob.size) return false;
  return there.checksum.kind === 'sha256' ? there.checksum.hex === file.sha256 : there.checksum.hex === file.gitSha1;
}

async function commitChange(session: HubSession, request: PushRequest, parent: string, change: Difference): Promise<string> {
  const additions = change.additions.map(({ path, blob }) => ({ path, content: blob }));
  try {
    return await commitFiles(
      session,
      { parent, title: request.title, description: '', additions, deletions: change.deletions },
      request.onProgress,
    );
  } catch (error) {
    if (!(error instanceof BranchMoved)) throw error;
    // It is our own commit where its answer was lost on the way.
    const now = await findRepository(session);
    const there = new Map(now?.files.map((file) => [file.path, file]));
    const isDone =
      change.additions.every((file) => isSame(file, there.get(file.path))) && change.deletions.every((path) => !there.has(path));
    if (now !== undefined && isDone) return now.head;
    throw new OSLER_ERR_HUB_PUSH_REFUSED(
      session.label,
      `somebody else committed to "${session.revision}" meanwhile. Run the same command again: large files are on the Hub already and are not sent again.`,
    );
  }
}
