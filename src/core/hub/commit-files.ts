import { type CommitOperation, type CommitOutput, type CommitProgressEvent, commitIter, HubApiError } from '@huggingface/hub';
import { isOslerError, messageOf } from '../errors.ts';
import { notTheHub } from './hub-account.ts';
import { isCommitId } from './hub-id.ts';
import { hubFailure, type HubSession, throwIfInterrupted } from './hub-session.ts';
import { createWriteFetch, StaleUploadLink, standInToken, writeAdvice } from './hub-write.ts';
import { UploadBlob } from './upload-blob.ts';

const triesForLinks = 3;

/** The branch has moved since it was looked at. Never leaves this folder. */
export class BranchMoved extends Error {}

/** What a commit changes. */
export interface FileChange {
  /** Commit that the branch has to be at. */
  readonly parent: string;
  readonly title: string;
  readonly description: string;
  readonly additions: readonly { readonly path: string; readonly content: Blob }[];
  readonly deletions: readonly string[];
}

/** How far an upload is; bytes of all files that the commit adds, those already on the Hub included. */
export interface UploadProgress {
  readonly phase: 'hashing' | 'uploading' | 'committing';
  readonly path: string | null;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/**
 * Uploads files and commits them to the session's branch, all or nothing. Large files that the Hub has by their sha256 are not sent.
 *
 * The official client does it, over LFS rather than Xet (docs/decisions/0015-publishing.md).
 *
 * @returns the commit's id
 * @throws BranchMoved, OSLER_ERR_HUB_PUSH, OSLER_ERR_INTERRUPTED
 */
export async function commitFiles(
  session: HubSession,
  change: FileChange,
  onProgress: (progress: UploadProgress) => void = () => undefined,
): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    throwIfInterrupted(session);
    try {
      return await commitOnce(session, change, new ProgressCount(change, onProgress));
    } catch (error) {
      throwIfInterrupted(session);
      if (error instanceof BranchMoved || isOslerError(error)) throw error;
      if (!(error instanceof StaleUploadLink)) throw understood(session, error);
      if (tries === triesForLinks)
        throw hubFailure(session, `${error.message}, also with ${triesForLinks} new links. Run the same command again later.`);
    }
  }
}

async function commitOnce(session: HubSession, change: FileChange, count: ProgressCount): Promise<string> {
  const stop = new AbortController();
  const failed = Promise.withResolvers<never>();
  // It may be that nobody waits for it any more.
  failed.promise.catch(() => undefined);
  const send = createWriteFetch(session, { passes: [412], onSent: (part, bytes) => count.sent(part, bytes) });
  const interrupt = (): void => failed.reject(session.signal?.reason);
  session.signal?.addEventListener('abort', interrupt, { once: true });
  const operations: CommitOperation[] = [
    ...change.additions.map(({ path, content }) => ({ operation: 'addOrUpdate' as const, path, content })),
    ...change.deletions.map((path) => ({ operation: 'delete' as const, path })),
  ];
  const events = commitIter({
    repo: { type: session.type, name: session.repo },
    branch: session.revision,
    operations,
    title: change.title,
    description: change.description,
    parentCommit: change.parent,
    accessToken: standInToken,
    hubUrl: session.endpoint,
    useXet: false,
    abortSignal: stop.signal,
    fetch: async (input, init) => {
      try {
        return await send(input, init);
      } catch (error) {
        failed.reject(error);
        throw error;
      }
    },
  });
  try {
    // The client can lose an error that comes while its progress is being told, and would wait for ever then.
    const output = await Promise.race([finish(events, count), failed.promise]);
    const id = output?.commit.oid;
    if (id === undefined || !isCommitId(id)) throw notTheHub(session, 'it names no commit');
    return id;
  } finally {
    session.signal?.removeEventListener('abort', interrupt);
    stop.abort();
  }
}

/** Reads events to the end, also when nobody waits for it, so that no rejection of the client is left without a reader. */
async function finish(
  events: AsyncGenerator<CommitProgressEvent, CommitOutput | undefined>,
  count: ProgressCount,
): Promise<CommitOutput | undefined> {
  for (;;) {
    const { done, value } = await events.next();
    if (done === true) return value;
    count.event(value);
  }
}

function understood(session: HubSession, error: unknown): Error {
  if (!(error instanceof HubApiError)) return notTheHub(session, error);
  if (error.statusCode === 412) return new BranchMoved(messageOf(error));
  return hubFailure(session, writeAdvice(session, error.statusCode, error.message));
}

/** Adds up what was sent, by file and part; a part that is sent again starts at 0 again. */
class ProgressCount {
  readonly #parts = new Map<string, Map<number, number>>();
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #paths: ReadonlyMap<string, string>;
  readonly #report: (progress: UploadProgress) => void;
  #phase: UploadProgress['phase'] = 'hashing';

  constructor({ additions }: FileChange, report: (progress: UploadProgress) => void) {
    this.#report = report;
    this.#sizes = new Map(additions.map(({ path, content }) => [path, content.size]));
    this.#paths = new Map(additions.flatMap(({ path, content }) => (content instanceof UploadBlob ? [[content.file, path]] : [])));
  }

  sent(part: UploadBlob, bytes: number): void {
    const path = this.#paths.get(part.file);
    if (path === undefined) return;
    this.#phase = 'uploading';
    const parts = this.#parts.get(path) ?? new Map<number, number>();
    this.#parts.set(path, parts.set(part.start, bytes));
    this.#tell(path);
  }

  event(event: CommitProgressEvent): void {
    if (event.event === 'phase') {
      if (event.phase === 'committing') {
        this.#phase = 'committing';
        // Small files go in the commit itself.
        for (const [path, bytes] of this.#sizes) this.#parts.set(path, new Map([[0, bytes]]));
      }
      this.#tell(null);
    } else if (event.state === 'uploading' && event.progress === 1) {
      this.#parts.set(event.path, new Map([[0, this.#sizes.get(event.path) ?? 0]]));
      this.#tell(event.path);
    }
  }

  #tell(path: string | null): void {
    const doneBytes = [...this.#parts.values()].flatMap((parts) => [...parts.values()]).reduce((sum, bytes) => sum + bytes, 0);
    const totalBytes = [...this.#sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
    this.#report({ phase: this.#phase, path, doneBytes, totalBytes });
  }
}
