import type { Exchange } from './exchange.ts';
import type { HubAccount, HubRepository, HubState } from './hub-state.ts';

/** The account of a request; undefined: none, null: a token that nobody has. */
export function callerOf(state: HubState, authorization: string | undefined): HubAccount | null | undefined {
  if (authorization === undefined || state.accounts.size === 0) return undefined;
  return state.accounts.get(authorization.replace(/^Bearer /, '')) ?? null;
}

/** Answers whoever sends a token that nobody has. True: answered. */
export function refusedToken(state: HubState, exchange: Exchange): boolean {
  if (callerOf(state, exchange.request.authorization) !== null) return false;
  exchange.fail(401, null, 'Invalid credentials in Authorization header');
  return true;
}

/** Whether the caller may see a repository at all. The Hub hides private ones: 401 without a token, 404 with one. */
export function mayRead(state: HubState, repository: HubRepository, caller: HubAccount | null | undefined): boolean {
  return !repository.isPrivate || state.accounts.size === 0 || owns(repository.id, caller);
}

/** Whether the caller may have the files of a gated repository. */
export function isGranted(repository: HubRepository, caller: HubAccount | null | undefined): boolean {
  return !repository.isGated || (caller != null && (repository.granted.has(caller.name) || owns(repository.id, caller)));
}

/** Answers who may not write below a name. True: answered. */
export function refusedWriter(state: HubState, exchange: Exchange, id: string): boolean {
  const caller = callerOf(state, exchange.request.authorization);
  if (caller === undefined && state.accounts.size > 0) {
    exchange.fail(401, null, 'Invalid username or password.');
    return true;
  }
  if (caller == null || (caller.role === 'write' && owns(id, caller))) return false;
  const reason =
    caller.role === 'read'
      ? 'you must use a write token to write to a repository.'
      : `you don't have the rights to write to "${id.split('/')[0]}".`;
  exchange.fail(403, null, `Forbidden: ${reason}`);
  return true;
}

function owns(id: string, caller: HubAccount | null | undefined): boolean {
  const owner = id.split('/')[0] ?? '';
  return caller != null && (caller.name === owner || caller.orgs?.includes(owner) === true);
}
