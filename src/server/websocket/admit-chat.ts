import type { FastifyRequest } from 'fastify';
import { OSLER_ERR_UNAUTHORIZED } from '../../core/errors.ts';
import type { AppDeps } from '../app.ts';
import { isUsable } from '../auth/api-key.ts';

/**
 * Lets a socket's client start one more chat. A socket lives long: its key may have been revoked since, and each chat counts as a request.
 *
 * @throws OSLER_ERR_UNAUTHORIZED and OSLER_ERR_RATE_LIMITED
 */
export async function admitChat(deps: Pick<AppDeps, 'keys' | 'clock' | 'rateLimits' | 'metrics'>, request: FastifyRequest): Promise<void> {
  if (!isCallerStillKnown(deps, request.caller?.keyId ?? null)) throw new OSLER_ERR_UNAUTHORIZED();
  await deps.rateLimits.countRequest(request).catch((error: unknown) => {
    deps.metrics.countRefused();
    throw error;
  });
}

function isCallerStillKnown({ keys, clock }: Pick<AppDeps, 'keys' | 'clock'>, keyId: string | null): boolean {
  // Nobody's key was asked for when the socket was opened; the first key that is made ends that.
  if (keyId === null) return !keys.hasAny();
  return keyId === 'environment' || isUsable(keys.get(keyId), clock.now());
}
