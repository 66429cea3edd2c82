import { createHash } from 'node:crypto';
import { gitSha1, sha256 } from './digests.ts';

/** A file of a test repository; large ones are kept as LFS files and served by the CDN. */
export interface HubFile {
  readonly content: Buffer;
  readonly isLarge?: boolean;
}

/** Who a token belongs to. */
export interface HubAccount {
  readonly name: string;
  /** What `/api/whoami-v2` tells of the token. */
  readonly role: 'read' | 'write';
  readonly orgs?: readonly string[];
}

/** Kinds of repository that the server keeps. */
export type HubRepoType = 'model' | 'dataset';

export type HubCommit = Readonly<Record<string, HubFile>>;

/** One repository with its whole history. */
export interface HubRepository {
  readonly type: HubRepoType;
  /** `owner/name`. */
  readonly id: string;
  isPrivate: boolean;
  /** Files are for the accounts in `granted` only. */
  isGated: boolean;
  readonly granted: Set<string>;
  readonly branches: Map<string, string>;
  readonly tags: Map<string, string>;
  readonly commits: Map<string, HubCommit>;
  /** Newest last. */
  readonly log: { readonly id: string; readonly title: string; readonly branch: string }[];
}

/** What the Hub knows: repositories, stored objects and accounts. */
export class HubState {
  readonly repositories = new Map<string, HubRepository>();
  /** LFS objects by sha256; null: proven but thrown away, for tests of memory. */
  readonly objects = new Map<string, Buffer | null>();
  /** By token; while empty, tokens are not looked at. */
  readonly accounts = new Map<string, HubAccount>();

  find(type: HubRepoType, id: string): HubRepository | undefined {
    return this.repositories.get(`${type}s/${id}`);
  }

  create(type: HubRepoType, id: string, options: { isPrivate?: boolean } = {}): HubRepository {
    const repository: HubRepository = {
      type,
      id,
      isPrivate: options.isPrivate ?? false,
      isGated: false,
      granted: new Set(),
      branches: new Map(),
      tags: new Map(),
      commits: new Map(),
      log: [],
    };
    this.repositories.set(`${type}s/${id}`, repository);
    return repository;
  }

  /** Puts a commit on a branch, and gives its id, which says what is in it and on what it stands. */
  commit(repository: HubRepository, branch: string, files: HubCommit, title: string, isOnParent = true): string {
    const digests = Object.entries(files).map(([name, { content, isLarge }]) => [name, sha256(content), isLarge === true]);
    const parent = isOnParent ? [repository.branches.get(branch) ?? null, title] : [];
    const id = createHash('sha1')
      .update(JSON.stringify([repository.type, repository.id, digests, ...parent]))
      .digest('hex');
    repository.commits.set(id, files);
    repository.branches.set(branch, id);
    repository.log.push({ id, title, branch });
    for (const { content, isLarge } of Object.values(files)) if (isLarge === true) this.objects.set(sha256(content), content);
    return id;
  }

  /** The commit that a branch, tag or id means; `HEAD` is main. */
  resolve(repository: HubRepository, revision: string): { id: string; commit: HubCommit } | undefined {
    const name = revision === 'HEAD' ? 'main' : revision.replace(/^refs\/heads\//, '');
    const id = repository.branches.get(name) ?? repository.tags.get(name) ?? name;
    const commit = repository.commits.get(id);
    return commit === undefined ? undefined : { id, commit };
  }
}

/** A file as listings name it: its git id, and its sha256 where it is large. */
export function entryOf(path: string, { content, isLarge }: HubFile) {
  if (isLarge !== true) return { type: 'file', oid: gitSha1(content), size: content.length, path };
  const pointer = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(content)}\nsize ${content.length}\n`);
  const lfs = { oid: sha256(content), size: content.length, pointerSize: pointer.length };
  return { type: 'file', oid: gitSha1(pointer), size: content.length, lfs, path };
}

/** Folders and files of a commit below a folder; `''` is the root. */
export function treeOf(commit: HubCommit, below: string, isRecursive: boolean): { type: string; path: string }[] {
  const folders = new Set<string>();
  for (const name of Object.keys(commit))
    for (let end = name.indexOf('/'); end >= 0; end = name.indexOf('/', end + 1)) folders.add(name.slice(0, end));
  const directories = [...folders].map((folder) => ({ type: 'directory', oid: gitSha1(Buffer.from(folder)), size: 0, path: folder }));
  const files = Object.entries(commit).map(([name, file]) => entryOf(name, file));
  const start = below === '' ? '' : `${below}/`;
  return [...directories, ...files].filter(
    ({ path }) => path.startsWith(start) && (isRecursive || !path.slice(start.length).includes('/')),
  );
}
