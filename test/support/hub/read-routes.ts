import { sha256, gitSha1 } from './digests.ts';
import type { Exchange } from './exchange.ts';
import type { HubFaults } from './faults.ts';
import { entryOf, type HubCommit, type HubRepository, type HubState, treeOf } from './hub-state.ts';
import { sendBytes } from './send-bytes.ts';

/** What reading routes work with. */
export interface ReadDeps {
  readonly state: HubState;
  readonly faults: HubFaults;
  readonly pageSize: number;
  endpoint(): string;
  cdnEndpoint(): string;
}

/** GET /api/{type}s/{repo} and …/revision/{revision}. */
export function sendInfo(exchange: Exchange, repository: HubRepository, { id, commit }: { id: string; commit: HubCommit }): void {
  exchange.json({
    _id: id.slice(0, 24),
    id: repository.id,
    modelId: repository.id,
    sha: id,
    private: repository.isPrivate,
    gated: repository.isGated ? 'manual' : false,
    disabled: false,
    tags: [],
    downloads: 0,
    likes: 0,
    lastModified: '2025-01-01T00:00:00.000Z',
    createdAt: '2025-01-01T00:00:00.000Z',
    siblings: Object.keys(commit).map((rfilename) => ({ rfilename })),
  });
}

/** GET …/tree/{revision}[/{folder}], in pages. */
export function sendTree(exchange: Exchange, deps: ReadDeps, commit: HubCommit, folder: string): void {
  const { faults, pageSize } = deps;
  const url = new URL(exchange.request.url, deps.endpoint());
  // Python's client writes True.
  const isRecursive = url.searchParams.get('recursive')?.toLowerCase() === 'true';
  const entries = [...treeOf(commit, folder, isRecursive), ...faults.extraEntries];
  const start = Number(url.searchParams.get('cursor') ?? 0);
  const end = start + pageSize;
  url.searchParams.set('cursor', String(end));
  const link = `<${faults.linkOrigin ?? deps.endpoint()}${url.pathname}${url.search}>; rel="next"`;
  exchange.json(entries.slice(start, end), end < entries.length ? { link } : {});
}

/** POST …/paths-info/{revision}: of the paths asked for, those that are there. */
export async function sendPathsInfo(exchange: Exchange, commit: HubCommit): Promise<void> {
  const body = await exchange.text();
  const paths = body.startsWith('{')
    ? // The clients send this form or a web form.
      (JSON.parse(body) as { paths: string[] }).paths
    : new URLSearchParams(body).getAll('paths');
  exchange.json(paths.flatMap((path) => (commit[path] === undefined ? [] : [entryOf(path, commit[path])])));
}

/** GET …/refs. */
export function sendRefs(exchange: Exchange, repository: HubRepository): void {
  const refs = (names: Map<string, string>, prefix: string) =>
    [...names].map(([name, targetCommit]) => ({ name, ref: `refs/${prefix}/${name}`, targetCommit }));
  exchange.json({ branches: refs(repository.branches, 'heads'), tags: refs(repository.tags, 'tags'), converts: [] });
}

/** GET …/commits/{revision}. */
export function sendCommits(exchange: Exchange, repository: HubRepository, branch: string): void {
  const commits = repository.log.filter((entry) => entry.branch === branch).toReversed();
  exchange.json(
    commits.map(({ id, title }) => ({
      id,
      title,
      message: '',
      authors: [{ user: 'tester', avatar: '' }],
      date: '2025-01-01T00:00:00.000Z',
    })),
    { 'x-total-count': String(commits.length) },
  );
}

/** GET or HEAD of a file: small ones at once, large ones by a link to the CDN. */
export function sendFile(exchange: Exchange, deps: ReadDeps, { id, commit }: { id: string; commit: HubCommit }, name: string): void {
  const file = commit[name];
  if (file === undefined) return exchange.fail(404, 'EntryNotFound');
  const headers = { 'x-repo-commit': id };
  if (file.isLarge !== true)
    return sendBytes(exchange, deps.faults, name, file.content, { ...headers, etag: `"${gitSha1(file.content)}"` });
  const digest = sha256(file.content);
  const location = `${deps.cdnEndpoint()}/${digest}?${new URLSearchParams({ path: name }).toString()}`;
  const linked = { 'x-linked-etag': `"${digest}"`, 'x-linked-size': String(file.content.length) };
  return exchange.send(302, { ...headers, ...linked, location }, '');
}
