import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import fastifyHelmet from '@fastify/helmet';
import fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Clock } from '../core/clock.ts';
import { sha256 } from '../core/digest.ts';
import { OSLER_ERR_NOT_FOUND, OSLER_ERR_UNAUTHORIZED } from '../core/errors.ts';
import { createRequestId } from '../core/ids.ts';
import type { Trainings } from '../train/trainings.ts';
import { handleError } from './error-reply.ts';
import { Metrics } from './metrics.ts';
import { chatRoutes } from './routes/chat.ts';
import { runRoutes } from './routes/runs.ts';
import { systemRoutes } from './routes/system.ts';
import type { ServedModels } from './served-model.ts';

const bodyLimitBytes = 4 << 20;
/** Paths that a load balancer or a person may ask without a key. */
const openPaths = new Set(['/health', '/livez', '/readyz']);

export interface ServerDeps {
  readonly models: ServedModels;
  readonly trainings: Trainings;
  readonly clock: Clock;
  readonly apiKey: string | null;
  readonly logLevel: string;
  /** Where log lines go; left out: stdout. */
  readonly logStream?: { write(line: string): void };
}

/** What routes get. */
export interface AppDeps extends ServerDeps {
  readonly metrics: Metrics;
}

/** Builds the service without opening a port, so that tests can inject requests. */
export async function buildApp(serverDeps: ServerDeps): Promise<FastifyInstance> {
  const deps: AppDeps = { ...serverDeps, metrics: new Metrics(serverDeps.models) };
  const app = fastify({
    logger: { level: deps.logLevel, ...(deps.logStream && { stream: deps.logStream }) },
    genReqId: () => createRequestId('req'),
    bodyLimit: bodyLimitBytes,
    forceCloseConnections: 'idle',
    logController: new LogController({ disableRequestLogging: true }),
  });
  closeConnectionsAtShutdown(app);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(handleError);
  app.setNotFoundHandler((request) => {
    throw new OSLER_ERR_NOT_FOUND('route', `${request.method} ${pathOf(request)}`);
  });
  // One line a request; never its query, body or answer.
  app.addHook('onResponse', async (request, reply) => {
    const about = { method: request.method, path: pathOf(request), status: reply.statusCode, ms: Math.round(reply.elapsedTime) };
    request.log.info(about, 'request');
  });
  await app.register(fastifyHelmet);
  const { apiKey } = deps;
  if (apiKey !== null) {
    app.addHook('onRequest', async (request) => {
      if (!openPaths.has(pathOf(request)) && !isSameKey(request.headers.authorization, apiKey)) throw new OSLER_ERR_UNAUTHORIZED();
    });
  }
  await app.register(systemRoutes(deps));
  await app.register(chatRoutes(deps));
  await app.register(runRoutes(deps));
  return app;
}

/**
 * Closes what `close()` of Node would wait for: connections opened ahead that never sent a request,
 * and those kept alive after an answer that was streamed into the shutdown.
 */
function closeConnectionsAtShutdown(app: FastifyInstance): void {
  const silent = new Set<Socket>();
  let isClosing = false;
  app.server.on('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  app.server.on('request', (request, response) => {
    silent.delete(request.socket);
    response.once('close', () => {
      if (isClosing) request.socket.destroySoon();
    });
  });
  app.addHook('preClose', async () => {
    isClosing = true;
    for (const socket of silent) socket.destroy();
  });
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0] ?? '';
}

/** Compares in constant time; digests make the lengths equal. */
function isSameKey(header: string | undefined, apiKey: string): boolean {
  const given = /^Bearer (.+)$/i.exec(header ?? '')?.[1] ?? '';
  return timingSafeEqual(Buffer.from(sha256(given)), Buffer.from(sha256(apiKey)));
}
