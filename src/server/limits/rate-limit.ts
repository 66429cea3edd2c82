import fastifyRateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { OSLER_ERR_RATE_LIMITED } from '../../core/errors.ts';
import { withRetryAfter } from '../retry-after.ts';

const windowMs = 60_000;
/** Where keys are asked for and nobody chose: far above what people do, and below what a loop gone wild does. */
const defaultPerMinute = 6000;

/** Counts requests, and wrong keys, within a minute. */
export interface RateLimits {
  /** Counts a request of this caller. Throws OSLER_ERR_RATE_LIMITED. */
  countRequest(request: FastifyRequest): Promise<void>;
  /** Throws OSLER_ERR_RATE_LIMITED where too many wrong keys came from this address. */
  checkWrongKeys(request: FastifyRequest): Promise<void>;
  countWrongKey(request: FastifyRequest): Promise<void>;
}

/** Registers the counters. `perMinute` null: the default where a key is asked for, no limit where not. */
export async function createRateLimits(
  app: FastifyInstance,
  options: { perMinute: number | null; wrongKeysPerMinute: number },
): Promise<RateLimits> {
  await app.register(fastifyRateLimit, { global: false });
  const perMinuteOf = (request: FastifyRequest): number =>
    (options.perMinute ?? (request.caller?.keyId === null ? 0 : defaultPerMinute)) || Number.POSITIVE_INFINITY;
  const requests = app.createRateLimit({
    timeWindow: windowMs,
    max: perMinuteOf,
    // A key counts wherever it is used, so that many addresses do not multiply its share.
    keyGenerator: (request) => request.caller?.keyId ?? `address ${normalizeIP(request.ip)}`,
    allowList: (request) => perMinuteOf(request) === Number.POSITIVE_INFINITY,
  });
  const wrongKeys = app.createRateLimit({ timeWindow: windowMs, max: options.wrongKeysPerMinute });
  const countNow = async (request: FastifyRequest): Promise<void> => {
    const state = await requests(request);
    if (!state.isAllowed && state.isExceeded) throw refusal(state.max, 'requests', state.ttlInSeconds);
  };
  let lastCount: Promise<void> = Promise.resolve();
  return {
    countRequest: async (request) => {
      // One after the other: those that @fastify/rate-limit counts at once are all told the last one's number.
      const count = lastCount.then(() => countNow(request));
      lastCount = count.catch(() => undefined);
      await count;
    },
    checkWrongKeys: async (request) => {
      const state = await wrongKeys(request, { increment: false });
      if (!state.isAllowed && state.remaining === 0) throw refusal(state.max, 'wrong keys', state.ttlInSeconds);
    },
    countWrongKey: async (request) => void (await wrongKeys(request)),
  };
}

function refusal(max: number, what: string, seconds: number): Error {
  return withRetryAfter(new OSLER_ERR_RATE_LIMITED(max, what, seconds), seconds);
}
