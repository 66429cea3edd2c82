import { isSafeRepositoryPath } from './repository-path.ts';

/** A repository of the Hub, with a revision (branch, tag or commit) and a file inside where they were named. */
export interface HubId {
  readonly owner: string;
  readonly name: string;
  /** `owner/name`, as the Hub's API takes it. */
  readonly repo: string;
  readonly revision: string | null;
  readonly path: string | null;
}

const pattern = /^(?<owner>[^/@:]+)\/(?<name>[^/@:]+)(?:@(?<revision>[^@:]+))?(?::(?<path>.+))?$/;

/**
 * Reads `owner/name`, `owner/name@revision`, `owner/name:path/inside.gguf` or `owner/name@revision:path`.
 *
 * Undefined for anything else. A relative path such as `models/tuned` has the same form: look on the disk first.
 */
export function parseHubId(text: string): HubId | undefined {
  const groups = pattern.exec(text)?.groups;
  const { owner, name, revision = null, path = null } = groups ?? {};
  if (owner === undefined || name === undefined) return undefined;
  if (!isHubName(owner) || !isHubName(name) || name.endsWith('.git')) return undefined;
  if (revision !== null && !isRevision(revision)) return undefined;
  if (path !== null && !isSafeRepositoryPath(path)) return undefined;
  return { owner, name, repo: `${owner}/${name}`, revision, path };
}

/** Whether a revision is a full commit id, which can never come to mean other files. */
export function isCommitId(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Whether a branch, tag or commit can be asked for; stricter than git: only letters, digits and `._+/-`, no `..`. */
export function isRevision(revision: string): boolean {
  return revision.length <= 255 && /^\w[\w.+/-]*$/.test(revision) && isSafeRepositoryPath(revision) && !revision.includes('..');
}

/** The rules of huggingface_hub's `validate_repo_id`: ASCII word characters, `-` and `.` inside only, neither doubled, at most 96. */
function isHubName(name: string): boolean {
  return name.length <= 96 && /^\w(?:[\w.-]*\w)?$/.test(name) && !name.includes('--') && !name.includes('..');
}
