import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  OSLER_ERR_DRAINING,
  OSLER_ERR_FORBIDDEN,
  OSLER_ERR_HOST_REFUSED,
  OSLER_ERR_REQUEST_MEDIA_TYPE,
  OSLER_ERR_UNAUTHORIZED,
} from '../../core/errors.ts';
import type { Drain } from '../drain.ts';
import type { RateLimits } from '../limits/rate-limit.ts';
import type { Metrics } from '../metrics.ts';
import { drainRetrySeconds, withRetryAfter } from '../retry-after.ts';
import { keyOfSubprotocol } from '../websocket/subprotocol.ts';
import type { Access, Caller } from './access.ts';
import { hasScope } from './api-key.ts';
import { demandOf, hasRule } from './route-scopes.ts';

/** The names of this machine that no foreign web site can take on. */
const ownNames = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i;

export interface GuardDeps {
  readonly access: Access;
  readonly rateLimits: RateLimits;
  readonly drain: Drain;
  readonly metrics: Metrics;
}

/** Looks at every request before anything of it is read: may it come in, and as whom? */
export function guard(app: FastifyInstance, deps: GuardDeps): void {
  app.decorateRequest('caller', null);
  app.addHook('onRoute', ({ url }) => {
    if (!hasRule(url)) throw new Error(`route "${url}" has no rule in auth/route-scopes.ts`);
  });
  app.addHook('onRequest', async (request, reply) => {
    const isOpen = deps.access.isOpen();
    if (isOpen) checkHost(request);
    checkMediaType(request);
    const demand = demandOf(request.method, request.routeOptions.url);
    if (demand === 'none') return;
    const caller = isOpen ? deps.access.anybody() : await identify(request, deps);
    request.caller = caller;
    if (demand !== 'any' && !hasScope(caller.scopes, demand)) throw new OSLER_ERR_FORBIDDEN(demand, demand);
    await deps.rateLimits.countRequest(request).catch((error: unknown) => refuse(request, deps, error));
    if (deps.drain.isDraining && request.routeOptions.url !== '/metrics') refuse(request, deps, draining(reply));
  });
}

/**
 * A page of a foreign site can have its own name point here and is then of the same origin as this server, for a browser.
 * What it cannot do is to ask for "localhost".
 */
function checkHost(request: FastifyRequest): void {
  const host = request.headers.host ?? '';
  if (!ownNames.test(host)) throw new OSLER_ERR_HOST_REFUSED(host);
}

/** A page of a foreign site may post text or a form without asking first, but not JSON. */
function checkMediaType(request: FastifyRequest): void {
  if (!['POST', 'PUT', 'PATCH'].includes(request.method) || request.routeOptions.url === undefined) return;
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type !== 'application/json') throw new OSLER_ERR_REQUEST_MEDIA_TYPE(type);
}

async function identify(request: FastifyRequest, { access, rateLimits }: GuardDeps): Promise<Caller> {
  const secret = secretOf(request);
  if (secret === null) throw new OSLER_ERR_UNAUTHORIZED();
  // Nobody guesses one of these, so its holder is let in even while the same address is guessing.
  const holder = access.holderOf(secret);
  if (holder !== null) return holder;
  await rateLimits.checkWrongKeys(request);
  const environmentHolder = access.holderOfEnvironmentKey(secret);
  if (environmentHolder !== null) return environmentHolder;
  await rateLimits.countWrongKey(request);
  throw new OSLER_ERR_UNAUTHORIZED();
}

function secretOf(request: FastifyRequest): string | null {
  const bearer = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  return bearer ?? keyOfSubprotocol(request.headers['sec-websocket-protocol']);
}

function draining(reply: FastifyReply): Error {
  // The next request of this client shall find the server that comes after.
  void reply.header('connection', 'close');
  return withRetryAfter(new OSLER_ERR_DRAINING(drainRetrySeconds), drainRetrySeconds);
}

/** Counts what would have been an answer, whose model is not known yet. */
function refuse(request: FastifyRequest, { metrics }: GuardDeps, error: unknown): never {
  if (request.method === 'POST' && request.routeOptions.url?.startsWith('/v1/') === true) metrics.countRefused();
  throw error;
}
