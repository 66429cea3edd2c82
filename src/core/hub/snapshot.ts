import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { OSLER_ERR_HUB_FAILED } from '../errors.ts';
import { lockFolder } from '../folder-lock.ts';
import { isCommitId } from './hub-id.ts';
import { type HubSession, type HubTiming, type RepoType, createHubSession, throwIfInterrupted } from './hub-session.ts';
import { type SnapshotProgress, fetchMissing, isHere } from './missing-files.ts';
import { listRepository, resolveCommit } from './repository-listing.ts';
import { type SnapshotFile, type SnapshotManifest, manifestName, readManifest, writeManifest } from './snapshot-manifest.ts';

/** What to fetch, and where to. */
export interface SnapshotRequest {
  /** Address of the Hub. */
  readonly endpoint: string;
  /** Sent to that address only; appears in no message and no file. */
  readonly token: string | null;
  readonly type: RepoType;
  /** `owner/name`. */
  readonly repo: string;
  /** Branch, tag or full commit id; only the last needs no network once all is here. */
  readonly revision: string;
  readonly cacheDir: string;
  readonly select: (path: string, bytes: number) => boolean;
  readonly onProgress?: ((progress: SnapshotProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timing?: Partial<HubTiming> | undefined;
}

/** Verified files of one commit; `path` is relative to `directory`. */
export interface Snapshot {
  readonly directory: string;
  readonly commit: string;
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[];
}

/**
 * Fetches the selected files of a repository into `<cacheDir>/<type>s/<owner>/<name>/<commit>/`.
 *
 * Bytes arrive in `.osler-parts/<checksum>.part` beside the commits, where a later call (of any process and any commit with the
 * same file) goes on; a file has its final name only once its checksum is right. Calls for one repository wait for each other.
 *
 * @throws OSLER_ERR_HUB_FAILED, OSLER_ERR_HUB_CHECKSUM, OSLER_ERR_DISK_FULL, OSLER_ERR_INTERRUPTED
 */
export async function downloadSnapshot(request: SnapshotRequest): Promise<Snapshot> {
  const session = createHubSession(request);
  throwIfInterrupted(session);
  const folder = path.resolve(request.cacheDir, `${session.type}s`, session.owner, session.name);
  const kept = isCommitId(session.revision) ? await keptSnapshot(session, folder, request.select) : undefined;
  if (kept !== undefined) return kept;

  const commit = await resolveCommit(session);
  const directory = path.join(folder, commit);
  await mkdir(directory, { recursive: true });
  const unlock = await lockFolder(folder, () => throwIfInterrupted(session));
  try {
    const manifest = (await readManifest(directory, { ...session, commit })) ?? (await createManifest(session, directory, commit));
    const selected = manifest.files.filter((file) => request.select(file.path, file.bytes));
    await fetchMissing(session, { folder, directory, manifest, selected, onProgress: request.onProgress });
    return snapshotOf(directory, commit, selected);
  } finally {
    unlock();
  }
}

async function keptSnapshot(session: HubSession, folder: string, select: SnapshotRequest['select']): Promise<Snapshot | undefined> {
  const directory = path.join(folder, session.revision);
  const manifest = await readManifest(directory, { ...session, commit: session.revision });
  const selected = manifest?.files.filter((file) => select(file.path, file.bytes));
  if (selected === undefined) return undefined;
  for (const file of selected) if (!(await isHere(directory, file))) return undefined;
  return snapshotOf(directory, session.revision, selected);
}

async function createManifest(session: HubSession, directory: string, commit: string): Promise<SnapshotManifest> {
  const files = (await listRepository(session, commit)).map((file) => ({ ...file, verifiedSha256: null }));
  const reserved = files.find((file) => file.path.split('/', 1)[0]?.toLowerCase() === manifestName);
  if (reserved !== undefined)
    throw new OSLER_ERR_HUB_FAILED(
      session.label,
      `it has a file "${reserved.path}", a name that Osler keeps its own notes under. No file of it was written.`,
    );
  const manifest: SnapshotManifest = { version: 1, type: session.type, repo: session.repo, commit, files };
  await writeManifest(directory, manifest);
  return manifest;
}

function snapshotOf(directory: string, commit: string, files: readonly SnapshotFile[]): Snapshot {
  const verified = files.map(({ path: name, bytes, verifiedSha256: sha256 }) => {
    if (sha256 === null) throw new Error(`"${name}" was not verified`);
    return { path: name, bytes, sha256 };
  });
  return { directory, commit, files: verified };
}
