import type { FastifyInstance } from 'fastify';

/** Bounds on what a client can make the server hold or wait for. */
export interface ServerLimits {
  readonly bodyBytes: number;
  readonly headerBytes: number;
  /** For the headers of a request to arrive. */
  readonly headersTimeoutMs: number;
  /** For a whole request to arrive. Its answer may take as long as it likes. */
  readonly requestTimeoutMs: number;
  /** How often the two above are looked at. */
  readonly checkEveryMs: number;
  /** For the next request on a connection. Longer than the 60 s of usual proxies, which must be the first to close. */
  readonly keepAliveMs: number;
  /** The next connection is closed at once. */
  readonly connections: number;
  /** Wrong keys from one address within a minute. */
  readonly wrongKeysPerMinute: number;
}

export const defaultLimits: ServerLimits = {
  bodyBytes: 4 << 20,
  headerBytes: 16 << 10,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 60_000,
  checkEveryMs: 5000,
  keepAliveMs: 72_000,
  connections: 4096,
  wrongKeysPerMinute: 20,
};

/** Limits as options of Fastify. */
export function fastifyLimits(limits: ServerLimits) {
  return {
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    http: { maxHeaderSize: limits.headerBytes, headersTimeout: limits.headersTimeoutMs, connectionsCheckingInterval: limits.checkEveryMs },
  };
}

/** Limits that only the server itself takes. */
export function limitConnections(app: FastifyInstance, limits: ServerLimits): void {
  app.server.maxConnections = limits.connections;
}
