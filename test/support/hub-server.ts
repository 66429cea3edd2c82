import { createHash } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A file of a test repository; large ones are kept as LFS files and served by the CDN. */
export interface HubFile {
  readonly content: Buffer;
  readonly isLarge?: boolean;
}

/** What one request asked for and got. */
export interface HubRequest {
  readonly host: 'hub' | 'cdn';
  readonly url: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  status: number;
  sentBytes: number;
}

/** Faults, switched on and off while the server runs; `times` counts down. */
export interface HubFaults {
  /** Cuts or stalls the connection after so many bytes of a file's body. */
  break: { how: 'cut' | 'stall'; path: string; afterBytes: number; times: number } | null;
  /** Answers a status instead. */
  refuse: { host: 'hub' | 'cdn'; pattern: RegExp; status: number; times: number; headers?: Record<string, string> } | null;
  /** Paths whose bytes are sent with one bit turned. */
  readonly wrongBytes: Set<string>;
  /** Answers 200 with the whole file whatever range is asked for. */
  ignoresRange: boolean;
  /** Answers 401 to whoever does not send it. */
  neededToken: string | null;
  /** Origin that the links to further pages name instead of the Hub's. */
  linkOrigin: string | null;
  /** Entries added to every listing. */
  readonly extraEntries: object[];
}

/** A running test Hub. */
export interface HubServer {
  readonly endpoint: string;
  readonly cdnEndpoint: string;
  readonly requests: HubRequest[];
  readonly faults: HubFaults;
  /** Adds a commit, moves the branch to it, and returns its id. */
  addCommit(type: 'model' | 'dataset', repo: string, files: Record<string, HubFile>, branch?: string): string;
  close(): Promise<void>;
}

type Commit = Readonly<Record<string, HubFile>>;
interface Repository {
  readonly branches: Map<string, string>;
  readonly commits: Map<string, Commit>;
}

/**
 * Starts a Hub on 127.0.0.1 and its CDN on another port: what @huggingface/hub uses for reading, with faults.
 *
 * @param pageSize entries a page of a listing
 */
export async function startHubServer(pageSize = 2): Promise<HubServer> {
  const repositories = new Map<string, Repository>();
  const requests: HubRequest[] = [];
  const faults: HubFaults = {
    break: null,
    refuse: null,
    wrongBytes: new Set(),
    ignoresRange: false,
    neededToken: null,
    linkOrigin: null,
    extraEntries: [],
  };

  const serve =
    (host: HubRequest['host'], answer: (request: HubRequest, response: ServerResponse) => void) =>
    (incoming: IncomingMessage, response: ServerResponse) => {
      const { range, authorization } = incoming.headers;
      const request: HubRequest = { host, url: incoming.url ?? '/', range, authorization, status: 0, sentBytes: 0 };
      requests.push(request);
      const { refuse } = faults;
      if (refuse !== null && refuse.times > 0 && refuse.host === host && refuse.pattern.test(request.url)) {
        refuse.times -= 1;
        return send(request, response, refuse.status, refuse.headers ?? {}, '');
      }
      if (host === 'hub' && faults.neededToken !== null && authorization !== `Bearer ${faults.neededToken}`)
        return fail(request, response, 401, 'RepoNotFound');
      return answer(request, response);
    };

  const hub = http.createServer(
    serve('hub', (request, response) => {
      const url = new URL(request.url, endpoint);
      const route =
        /^\/(?<api>api\/)?(?<kind>models\/|datasets\/)?(?<repo>[^/]+\/[^/]+)(?:\/(?<verb>revision|tree|resolve)\/(?<revision>[^/]+)(?:\/(?<path>.+))?)?$/.exec(
          url.pathname,
        )?.groups;
      const type = route?.['kind'] === 'datasets/' ? 'datasets' : 'models';
      const repository = repositories.get(`${type}/${route?.['repo']}`);
      if (route === undefined || repository === undefined) return fail(request, response, 404, 'RepoNotFound');
      const revision = decodeURIComponent(route['revision'] ?? 'main');
      const id = repository.branches.get(revision === 'HEAD' ? 'main' : revision) ?? revision;
      const commit = repository.commits.get(id);
      if (commit === undefined) return fail(request, response, 404, 'RevisionNotFound');
      if (route['verb'] === 'resolve') return sendFile(request, response, id, commit, decodeURIComponent(route['path'] ?? ''));
      if (route['verb'] !== 'tree') return sendJson(request, response, describe(String(route['repo']), id, commit));
      const entries = [...treeOf(commit, url.searchParams.get('recursive') === 'true'), ...faults.extraEntries];
      const start = Number(url.searchParams.get('cursor') ?? 0);
      url.searchParams.set('cursor', String(start + pageSize));
      return sendJson(
        request,
        response,
        entries.slice(start, start + pageSize),
        start + pageSize < entries.length ? { link: `<${faults.linkOrigin ?? endpoint}${url.pathname}${url.search}>; rel="next"` } : {},
      );
    }),
  );
  const cdn = http.createServer(
    serve('cdn', (request, response) => {
      const url = new URL(request.url, cdnEndpoint);
      const digest = url.pathname.slice(1);
      const file = [...repositories.values()]
        .flatMap(({ commits }) => [...commits.values()])
        .flatMap((commit) => Object.values(commit))
        .find(({ content }) => sha256(content) === digest);
      if (file === undefined) return fail(request, response, 404, 'EntryNotFound');
      return sendBytes(request, response, url.searchParams.get('path') ?? '', file.content, { etag: `"${digest}"` });
    }),
  );

  function sendFile(request: HubRequest, response: ServerResponse, id: string, commit: Commit, name: string): void {
    const file = commit[name];
    if (file === undefined) return fail(request, response, 404, 'EntryNotFound');
    const headers = { 'x-repo-commit': id };
    if (file.isLarge !== true) return sendBytes(request, response, name, file.content, { ...headers, etag: `"${gitSha1(file.content)}"` });
    const digest = sha256(file.content);
    const location = `${cdnEndpoint}/${digest}?${new URLSearchParams({ path: name }).toString()}`;
    return send(
      request,
      response,
      302,
      { ...headers, location, 'x-linked-etag': `"${digest}"`, 'x-linked-size': String(file.content.length) },
      '',
    );
  }

  function sendBytes(request: HubRequest, response: ServerResponse, name: string, content: Buffer, headers: Record<string, string>): void {
    const bytes = Buffer.from(content);
    if (faults.wrongBytes.has(name)) bytes[0] = (bytes[0] ?? 0) ^ 1;
    const asked = faults.ignoresRange ? null : /^bytes=(\d+)-(\d*)$/.exec(request.range ?? '');
    const start = Number(asked?.[1] ?? 0);
    if (asked !== null && start >= bytes.length) return send(request, response, 416, { 'content-range': `bytes */${bytes.length}` }, '');
    const end = asked?.[2] ? Math.min(Number(asked[2]) + 1, bytes.length) : bytes.length;
    const body = bytes.subarray(start, end);
    const ranged = asked === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` };
    const fault = faults.break;
    if (fault === null || fault.times <= 0 || fault.path !== name)
      return send(request, response, asked === null ? 200 : 206, { ...headers, ...ranged, 'accept-ranges': 'bytes' }, body);
    fault.times -= 1;
    request.status = asked === null ? 200 : 206;
    response.writeHead(request.status, { ...headers, ...ranged, 'accept-ranges': 'bytes', 'content-length': body.length });
    const head = body.subarray(0, fault.afterBytes);
    request.sentBytes = head.length;
    response.write(head, () => {
      if (fault.how === 'cut') response.socket?.end(() => response.destroy());
    });
  }

  const endpoint = await listen(hub);
  const cdnEndpoint = await listen(cdn);
  return {
    endpoint,
    cdnEndpoint,
    requests,
    faults,
    addCommit(type, repo, files, branch = 'main') {
      const key = `${type}s/${repo}`;
      const repository = repositories.get(key) ?? { branches: new Map<string, string>(), commits: new Map<string, Commit>() };
      const digests = Object.entries(files).map(([name, { content }]) => [name, sha256(content)]);
      const id = createHash('sha1')
        .update(JSON.stringify([key, digests]))
        .digest('hex');
      repository.commits.set(id, files);
      repository.branches.set(branch, id);
      repositories.set(key, repository);
      return id;
    },
    async close() {
      for (const server of [hub, cdn]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}

function describe(repo: string, id: string, commit: Commit): object {
  const siblings = Object.keys(commit).map((rfilename) => ({ rfilename }));
  return {
    _id: id.slice(0, 24),
    id: repo,
    sha: id,
    private: false,
    gated: false,
    downloads: 0,
    likes: 0,
    lastModified: '2025-01-01T00:00:00.000Z',
    siblings,
  };
}

function treeOf(commit: Commit, isRecursive: boolean): object[] {
  const folders = new Set<string>();
  for (const name of Object.keys(commit))
    for (let end = name.indexOf('/'); end >= 0; end = name.indexOf('/', end + 1)) folders.add(name.slice(0, end));
  const directories = [...folders].map((folder) => ({ type: 'directory', oid: gitSha1(Buffer.from(folder)), size: 0, path: folder }));
  const files = Object.entries(commit).map(([name, { content, isLarge }]) => {
    if (isLarge !== true) return { type: 'file', oid: gitSha1(content), size: content.length, path: name };
    const pointer = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${content.length}\n`);
    return {
      type: 'file',
      oid: gitSha1(pointer),
      size: content.length,
      lfs: { oid: sha256(content), size: content.length, pointerSize: pointer.length },
      path: name,
    };
  });
  return [...directories, ...files].filter(({ path }) => isRecursive || !path.includes('/'));
}

function sendJson(request: HubRequest, response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
  send(request, response, 200, { 'content-type': 'application/json; charset=utf-8', ...headers }, JSON.stringify(value));
}

function fail(request: HubRequest, response: ServerResponse, status: number, code: string): void {
  send(
    request,
    response,
    status,
    { 'content-type': 'application/json; charset=utf-8', 'x-error-code': code },
    JSON.stringify({ error: code }),
  );
}

function send(request: HubRequest, response: ServerResponse, status: number, headers: Record<string, string>, body: string | Buffer): void {
  request.status = status;
  request.sentBytes = Buffer.byteLength(body);
  response.writeHead(status, { ...headers, 'content-length': request.sentBytes }).end(body);
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function gitSha1(content: Buffer): string {
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

async function listen(server: http.Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A server that listens on TCP has an address of this form.
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}
