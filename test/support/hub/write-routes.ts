import { callerOf, refusedToken, refusedWriter } from './access.ts';
import { cardProblem } from './card-rules.ts';
import { gitSha1 } from './digests.ts';
import type { Exchange } from './exchange.ts';
import type { HubFaults } from './faults.ts';
import type { HubCommit, HubFile, HubRepository, HubRepoType, HubState } from './hub-state.ts';
import type { Storage } from './storage.ts';

/** What writing routes work with. */
export interface WriteDeps {
  readonly state: HubState;
  readonly faults: HubFaults;
  readonly storage: Storage;
  /** Files from this size on are large; those of these kinds always. */
  readonly largeBytes: number;
  /** Uploads larger than this go in parts of this size. */
  readonly multipartBytes: number;
  endpoint(): string;
}

const largeKinds = /\.(?:safetensors|gguf|bin|pt|parquet)$/;
const ignoredAttributes = '*.safetensors filter=lfs diff=lfs merge=lfs -text\n*.gguf filter=lfs diff=lfs merge=lfs -text\n';

/** GET /api/whoami-v2. */
export function sendWhoAmI(exchange: Exchange, { state }: WriteDeps): void {
  const caller = callerOf(state, exchange.request.authorization);
  if (caller == null)
    return exchange.fail(401, null, caller === null ? 'Invalid credentials in Authorization header' : 'Invalid username or password.');
  return exchange.json({
    type: 'user',
    id: '0123456789abcdef',
    name: caller.name,
    fullname: caller.name,
    isPro: false,
    orgs: (caller.orgs ?? []).map((name) => ({ type: 'org', id: name, name, fullname: name })),
    auth: { type: 'access_token', accessToken: { displayName: 'test', role: caller.role, createdAt: '2025-01-01T00:00:00.000Z' } },
  });
}

/** POST /api/repos/create and DELETE /api/repos/delete. */
export async function changeRepository(exchange: Exchange, deps: WriteDeps, isDeletion: boolean): Promise<void> {
  const { state, faults } = deps;
  // The clients' own payloads.
  const body = JSON.parse(await exchange.text()) as {
    name: string;
    organization?: string | null;
    type?: HubRepoType;
    visibility?: string;
    private?: boolean;
  };
  if (refusedToken(state, exchange)) return undefined;
  const type = body.type ?? 'model';
  const id = `${body.organization ?? callerOf(state, exchange.request.authorization)?.name ?? 'nobody'}/${body.name}`;
  if (refusedWriter(state, exchange, id)) return undefined;
  if (isDeletion) {
    if (!state.repositories.delete(`${type}s/${id}`)) return exchange.fail(404, 'RepoNotFound', 'Repository not found');
    return exchange.json({});
  }
  const url = `${deps.endpoint()}/${type === 'dataset' ? 'datasets/' : ''}${id}`;
  const isTaken =
    state.find(type, id) !== undefined || (faults.hasOneNamespace && [...state.repositories.values()].some((other) => other.id === id));
  if (isTaken) return exchange.json({ error: `You already created this ${type} repo`, url }, {}, 409);
  const repository = state.create(type, id, { isPrivate: body.visibility === 'private' || body.private === true });
  state.commit(repository, 'main', { '.gitattributes': { content: Buffer.from(ignoredAttributes) } }, 'initial commit');
  return exchange.json({ url, id, name: id });
}

/** POST and DELETE …/branch/{name}, POST …/tag/{revision}. */
export async function changeRef(exchange: Exchange, deps: WriteDeps, repository: HubRepository, kind: string, name: string): Promise<void> {
  const { state } = deps;
  const text = await exchange.text();
  const body = (text === '' ? {} : JSON.parse(text)) as { startingPoint?: string; tag?: string; overwrite?: boolean };
  if (exchange.request.method === 'DELETE') {
    if (!repository.branches.delete(name)) return exchange.fail(404, 'RevisionNotFound', `Invalid rev id: ${name}`);
    return exchange.json({});
  }
  const start = state.resolve(repository, kind === 'tag' ? name : (body.startingPoint ?? 'main'));
  if (start === undefined) return exchange.fail(404, 'RevisionNotFound', `Invalid rev id: ${body.startingPoint ?? name}`);
  if (kind === 'tag') repository.tags.set(String(body.tag), start.id);
  else if (repository.branches.has(name) && body.overwrite !== true) return exchange.fail(409, null, `Reference already exists: ${name}`);
  else repository.branches.set(name, start.id);
  return exchange.json({});
}

/** POST …/preupload/{revision}: which files go as large ones. */
export async function sendUploadModes(exchange: Exchange, deps: WriteDeps, commit: HubCommit): Promise<void> {
  const { files } = JSON.parse(await exchange.text()) as { files: { path: string; size: number; sample: string }[] };
  exchange.json({
    files: files.map(({ path, size }) => ({
      path,
      uploadMode: largeKinds.test(path) || size >= deps.largeBytes ? 'lfs' : 'regular',
      shouldIgnore: false,
      oid: commit[path] === undefined ? null : gitSha1(commit[path].content),
    })),
  });
}

/** POST {repo}.git/info/lfs/objects/batch: what is not there yet, and where it goes. */
export async function sendBatch(exchange: Exchange, deps: WriteDeps, repository: HubRepository): Promise<void> {
  const { objects } = JSON.parse(await exchange.text()) as { objects: { oid: string; size: number }[] };
  const verify = { href: `${deps.endpoint()}/${repository.id}.git/info/lfs/objects/verify` };
  const answers = objects.map(({ oid, size }) => {
    if (deps.faults.quotaBytes !== null && size >= deps.faults.quotaBytes)
      return { oid, size, error: { code: 403, message: 'Private repository storage limit reached' } };
    if (deps.state.objects.has(oid)) return { oid, size, authenticated: true };
    const opened = deps.storage.open(oid, size, deps.multipartBytes);
    const upload = 'header' in opened ? { ...opened, href: `${deps.endpoint()}/api/complete_multipart?uploadId=${opened.href}` } : opened;
    return { oid, size, authenticated: true, actions: { upload, verify } };
  });
  exchange.json({ transfer: 'multipart', objects: answers });
}

/** POST /api/complete_multipart. */
export async function completeMultipart(exchange: Exchange, deps: WriteDeps): Promise<void> {
  const body = JSON.parse(await exchange.text()) as { parts: { partNumber: number; etag: string }[] };
  const id = new URL(exchange.request.url, deps.endpoint()).searchParams.get('uploadId') ?? '';
  const etags = body.parts.toSorted((a, b) => a.partNumber - b.partNumber).map((part) => part.etag);
  if (!deps.storage.complete(id, etags)) return exchange.fail(400, null, 'The parts do not make the file');
  return exchange.json({ success: true });
}

/** POST …/objects/verify, which Python's client asks for. */
export async function verifyObject(exchange: Exchange, deps: WriteDeps): Promise<void> {
  const { oid } = JSON.parse(await exchange.text()) as { oid: string };
  if (!deps.state.objects.has(oid)) return exchange.fail(404, 'EntryNotFound', 'Object not found');
  return exchange.json({});
}

/** POST /api/validate-yaml, which Python's client asks before it sends a card. */
export async function validateCard(exchange: Exchange): Promise<void> {
  const { content } = JSON.parse(await exchange.text()) as { content: string };
  const problem = cardProblem(content);
  exchange.json({ errors: problem === undefined ? [] : [{ message: problem }], warnings: [] }, {}, problem === undefined ? 200 : 400);
}

type Line =
  | { key: 'header'; value: { summary: string; parentCommit?: string } }
  | { key: 'file'; value: { path: string; content: string; encoding?: 'base64' | 'utf-8' } }
  | { key: 'lfsFile'; value: { path: string; oid: string; size?: number } }
  | { key: 'deletedFile' | 'deletedFolder'; value: { path: string } };

/** POST …/commit/{branch}: all of its changes or none. */
export async function takeCommit(exchange: Exchange, deps: WriteDeps, repository: HubRepository, branch: string): Promise<void> {
  const { state, faults } = deps;
  const text = await exchange.text();
  faults.beforeCommit?.();
  const head = state.resolve(repository, branch);
  if (head === undefined) return exchange.fail(404, 'RevisionNotFound', `Invalid rev id: ${branch}`);
  const lines = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  const files: Record<string, HubFile> = { ...head.commit };
  let title = '';
  for (const { key, value } of lines) {
    if (key === 'header') {
      title = value.summary;
      if (value.parentCommit !== undefined && value.parentCommit !== head.id)
        return exchange.fail(412, null, 'A commit has happened since. Please refresh and try again.');
    } else if (key === 'file') {
      const content = Buffer.from(value.content, value.encoding ?? 'utf-8');
      const problem = value.path === 'README.md' ? cardProblem(content.toString('utf8')) : undefined;
      if (problem !== undefined) return exchange.fail(400, null, `Invalid metadata in README.md: ${problem}`);
      files[value.path] = { content };
    } else if (key === 'lfsFile') {
      const content = state.objects.get(value.oid);
      if (content === undefined) return exchange.fail(422, null, `LFS pointer of "${value.path}" points to a file that does not exist`);
      files[value.path] = { content: content ?? Buffer.alloc(0), isLarge: true };
    } else {
      const isGone = (path: string): boolean =>
        path === value.path || (key === 'deletedFolder' && path.startsWith(value.path.replace(/\/?$/, '/')));
      for (const path of Object.keys(files).filter(isGone)) delete files[path];
    }
  }
  const oid = state.commit(repository, branch, files, title);
  if (faults.losesCommitAnswers > 0) {
    faults.losesCommitAnswers -= 1;
    return exchange.cut();
  }
  return exchange.json({
    success: true,
    commitOid: oid,
    commitUrl: `${deps.endpoint()}/${repository.id}/commit/${oid}`,
    hookOutput: '',
    pullRequestUrl: null,
  });
}
