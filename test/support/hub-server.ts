import { isGranted, callerOf, mayRead, refusedToken, refusedWriter } from './hub/access.ts';
import { type Exchange, type HubRequest, listen } from './hub/exchange.ts';
import { type HubFaults, noFaults } from './hub/faults.ts';
import { type HubAccount, type HubFile, type HubRepository, type HubRepoType, HubState } from './hub/hub-state.ts';
import { sendCommits, sendFile, sendInfo, sendPathsInfo, sendRefs, sendTree } from './hub/read-routes.ts';
import { Storage } from './hub/storage.ts';
import {
  changeRef,
  changeRepository,
  completeMultipart,
  sendBatch,
  sendUploadModes,
  sendWhoAmI,
  takeCommit,
  validateCard,
  verifyObject,
} from './hub/write-routes.ts';

/** A running test Hub. */
export interface HubServer {
  readonly endpoint: string;
  readonly cdnEndpoint: string;
  readonly requests: HubRequest[];
  readonly faults: HubFaults;
  /** By token; while empty, tokens are not looked at and everybody may do everything. */
  readonly accounts: Map<string, HubAccount>;
  /** Adds a commit, moves the branch to it, and returns its id, which is that of its content alone. */
  addCommit(type: HubRepoType, repo: string, files: Record<string, HubFile>, branch?: string): string;
  repository(type: HubRepoType, repo: string): HubRepository | undefined;
  /** What a branch holds now. */
  files(repo: string, branch?: string): Record<string, HubFile>;
  close(): Promise<void>;
}

export interface HubServerOptions {
  /** Entries a page of a listing. */
  readonly pageSize?: number;
  /** Files from this size on are large. */
  readonly largeBytes?: number;
  /** Uploads larger than this go in parts of this size. */
  readonly multipartBytes?: number;
}

const route =
  /^\/(?:(?<api>api)\/)?(?<kind>models\/|datasets\/)?(?<repo>[^/]+\/[^/]+?)(?:\/(?<verb>revision|tree|resolve|paths-info|refs|commits|branch|tag|preupload|commit)(?:\/(?<revision>[^/]+)(?:\/(?<path>.+))?)?|\.git\/info\/lfs\/objects\/(?<lfs>batch|verify))?$/;

/**
 * Starts a Hub on 127.0.0.1 and its storage and CDN on another port: what the official clients use for reading and writing,
 * with faults. It has no Xet storage.
 */
export async function startHubServer(options: HubServerOptions = {}): Promise<HubServer> {
  const state = new HubState();
  const faults = noFaults();
  const requests: HubRequest[] = [];
  const storage = new Storage(state, faults);
  const deps = {
    state,
    faults,
    storage,
    pageSize: options.pageSize ?? 2,
    largeBytes: options.largeBytes ?? 10_000_000,
    multipartBytes: options.multipartBytes ?? 1_000_000_000,
    endpoint: () => hub.endpoint,
    cdnEndpoint: () => cdn.endpoint,
  };

  /** Notes a request, and answers those that a fault is on for. */
  async function watched(exchange: Exchange, answer: () => Promise<void> | void): Promise<void> {
    const { request } = exchange;
    requests.push(request);
    const { refuse } = faults;
    if (refuse !== null && refuse.times > 0 && refuse.host === request.host && refuse.pattern.test(request.url)) {
      refuse.times -= 1;
      await exchange.text();
      return exchange.send(refuse.status, { ...refuse.headers }, refuse.message ?? '');
    }
    if (request.host === 'hub' && faults.neededToken !== null && request.authorization !== `Bearer ${faults.neededToken}`)
      return exchange.fail(401, 'RepoNotFound');
    return await answer();
  }

  async function handleApi(exchange: Exchange): Promise<void> {
    const { pathname } = new URL(exchange.request.url, hub.endpoint);
    if (pathname === '/api/whoami-v2') return sendWhoAmI(exchange, deps);
    if (pathname === '/api/repos/create') return await changeRepository(exchange, deps, false);
    if (pathname === '/api/repos/delete') return await changeRepository(exchange, deps, true);
    if (pathname === '/api/complete_multipart') return await completeMultipart(exchange, deps);
    if (pathname === '/api/validate-yaml') return await validateCard(exchange);
    return await handleRepository(exchange, pathname);
  }

  async function handleRepository(exchange: Exchange, pathname: string): Promise<void> {
    const found = route.exec(pathname)?.groups;
    const repository = state.find(found?.['kind'] === 'datasets/' ? 'dataset' : 'model', found?.['repo'] ?? '');
    if (refusedToken(state, exchange)) return undefined;
    const caller = callerOf(state, exchange.request.authorization);
    if (found === undefined || repository === undefined || !mayRead(state, repository, caller))
      return exchange.fail(state.accounts.size > 0 && caller === undefined ? 401 : 404, 'RepoNotFound', 'Repository not found');
    const { verb, lfs } = found;
    if (lfs !== undefined || isWriting(exchange, verb)) {
      if (refusedWriter(state, exchange, repository.id)) return undefined;
      if (lfs === 'batch') return await sendBatch(exchange, deps, repository);
      if (lfs === 'verify') return await verifyObject(exchange, deps);
    }
    const revision = decodeURIComponent(found['revision'] ?? 'main');
    if (verb === 'branch' || verb === 'tag') return await changeRef(exchange, deps, repository, verb, revision);
    if (verb === 'refs') return sendRefs(exchange, repository);
    const resolved = state.resolve(repository, revision);
    if (resolved === undefined) return exchange.fail(404, 'RevisionNotFound', `Invalid rev id: ${revision}`);
    const inside = decodeURIComponent(found['path'] ?? '');
    switch (verb) {
      case 'tree':
        return sendTree(exchange, deps, resolved.commit, inside);
      case 'paths-info':
        return await sendPathsInfo(exchange, resolved.commit);
      case 'commits':
        return sendCommits(exchange, repository, revision);
      case 'preupload':
        return await sendUploadModes(exchange, deps, resolved.commit);
      case 'commit':
        return await takeCommit(exchange, deps, repository, revision);
      case 'resolve':
        if (!isGranted(repository, caller))
          return exchange.fail(caller === undefined ? 401 : 403, 'GatedRepo', `Access to model ${repository.id} is restricted`);
        return sendFile(exchange, deps, resolved, inside);
      default:
        return sendInfo(exchange, repository, resolved);
    }
  }

  const hub = await listen('hub', async (exchange) => await watched(exchange, async () => await handleApi(exchange)));
  const cdn = await listen('cdn', async (exchange) => await watched(exchange, async () => await storage.handle(exchange)));
  storage.endpoint = cdn.endpoint;
  return {
    endpoint: hub.endpoint,
    cdnEndpoint: cdn.endpoint,
    requests,
    faults,
    accounts: state.accounts,
    addCommit: (type, repo, files, branch = 'main') =>
      state.commit(state.find(type, repo) ?? state.create(type, repo), branch, files, 'test commit', false),
    repository: (type, repo) => state.find(type, repo),
    files: (repo, branch = 'main') => {
      const repository = state.find('model', repo);
      return { ...(repository === undefined ? {} : state.resolve(repository, branch)?.commit) };
    },
    close: async () => {
      await hub.close();
      await cdn.close();
    },
  };
}

function isWriting(exchange: Exchange, verb: string | undefined): boolean {
  return exchange.request.method !== 'GET' && exchange.request.method !== 'HEAD' && verb !== 'paths-info';
}
