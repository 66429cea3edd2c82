import type { Socket } from 'node:net';
import fastifyCors from '@fastify/cors';
import fastifyHelmet from '@fastify/helmet';
import fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import type { Clock } from '../core/clock.ts';
import { OSLER_ERR_NOT_FOUND } from '../core/errors.ts';
import { createRequestId } from '../core/ids.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import type { TrainingCheck } from '../core/schema/training-check.ts';
import type { Pushes } from '../train/publish/pushes.ts';
import type { Trainings } from '../train/trainings.ts';
import { Access } from './auth/access.ts';
import { guard } from './auth/guard.ts';
import type { KeyStore } from './auth/key-store.ts';
import { CheckQueue } from './check-queue.ts';
import type { Drain } from './drain.ts';
import { handleError } from './error-reply.ts';
import { AnswerQueues } from './limits/answer-queue.ts';
import { replyToClientError } from './limits/client-error.ts';
import { acceptJsonOnly } from './limits/json-body.ts';
import { createRateLimits, type RateLimits } from './limits/rate-limit.ts';
import { defaultLimits, fastifyLimits, limitConnections, type ServerLimits } from './limits/server-limits.ts';
import { type EvaluationSource, Metrics } from './metrics.ts';
import { describeApp } from './openapi.ts';
import { checkRunRoute } from './routes/check-run.ts';
import { openaiRoutes } from './routes/openai.ts';
import { pushRoutes } from './routes/push.ts';
import { runRoutes } from './routes/runs.ts';
import { startRunRoutes } from './routes/start-run.ts';
import { systemRoutes } from './routes/system.ts';
import type { ServedModels } from './served-model.ts';
import type { ServedStartOptions, StartedTraining } from './start-training.ts';
import type { TrainingCheckOptions } from './training-check.ts';
import { validateRequest } from './validate-request.ts';
import { chatSocketRoute, isChatSocketUpgrade } from './websocket/chat-socket-route.ts';
import type { SocketLimits } from './websocket/limits.ts';

export interface ServerDeps {
  readonly models: ServedModels;
  readonly trainings: Trainings;
  /** Checks a training and starts nothing. */
  readonly checkTraining: (recipe: Recipe, options: TrainingCheckOptions) => Promise<TrainingCheck>;
  /** Checks a training, and registers its run. */
  readonly startTraining: (recipe: Recipe, options: ServedStartOptions) => Promise<Pick<StartedTraining, 'run' | 'isNew'>>;
  readonly pushes: Pushes;
  /** Where the evaluations stand that are under way. */
  readonly evaluations: EvaluationSource;
  readonly clock: Clock;
  readonly keys: KeyStore;
  /** OSLER_API_KEY: a key with all scopes. */
  readonly apiKey: string | null;
  /** Bound to this machine only: such a server is open while there is no key. */
  readonly isLoopback: boolean;
  /** Origins, besides this server's own, whose pages may call and open a websocket. */
  readonly allowedOrigins: readonly string[];
  /** Addresses and networks whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  /** 0: no limit; null: the default. */
  readonly rateLimitPerMinute: number | null;
  /** For a slot of the engine. */
  readonly queueTimeoutMs: number;
  readonly drain: Drain;
  readonly limits?: Partial<ServerLimits>;
  readonly logLevel: string;
  /** Where log lines go; left out: stdout. */
  readonly logStream?: { write(line: string): void };
  readonly socketLimits?: Partial<SocketLimits>;
}

/** What routes get. */
export interface AppDeps extends ServerDeps {
  readonly metrics: Metrics;
  readonly queues: AnswerQueues;
  readonly checkQueue: CheckQueue;
  /** For work that is asked for within one connection; whole requests are counted already. */
  readonly rateLimits: RateLimits;
}

/** Nothing here is a page: a reply that a browser is led to show may load, run and frame nothing. */
const strictHeaders = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"] },
  },
  frameguard: { action: 'deny' },
} as const;

const corsOptions = {
  methods: ['GET', 'HEAD', 'POST', 'DELETE'],
  exposedHeaders: ['x-request-id', 'retry-after', 'location'],
  maxAge: 600,
};

/** Builds the service without opening a port, so that tests can inject requests. */
export async function buildApp(serverDeps: ServerDeps): Promise<FastifyInstance> {
  const { logLevel, logStream, trustedProxies, drain } = serverDeps;
  const limits = { ...defaultLimits, ...serverDeps.limits };
  const { http, ...limitOptions } = fastifyLimits(limits);
  const app = fastify({
    ...limitOptions,
    logger: { level: logLevel, ...(logStream && { stream: logStream }) },
    genReqId: () => createRequestId('req'),
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    clientErrorHandler: replyToClientError,
    frameworkErrors: handleError,
    forceCloseConnections: 'idle',
    // Our own hook refuses work on the way down, in the shape of every other error.
    return503OnClosing: false,
    // Node upgrades nothing else: Java's clients offer HTTP/2 with every request, and want their answer in HTTP/1 then.
    http: { ...http, shouldUpgradeCallback: isChatSocketUpgrade },
    logController: new LogController({ disableRequestLogging: true }),
  });
  limitConnections(app, limits);
  closeConnectionsAtShutdown(app, drain);
  acceptJsonOnly(app);
  app.setValidatorCompiler(validateRequest);
  app.setErrorHandler(handleError);
  app.setNotFoundHandler((request) => {
    throw new OSLER_ERR_NOT_FOUND('route', `${request.method} ${pathOf(request)}`);
  });
  // One line a request; never its query, body or answer.
  app.addHook('onResponse', async (request, reply) => {
    const about = {
      method: request.method,
      path: pathOf(request),
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      key: request.caller?.keyId ?? undefined,
    };
    request.log.info(about, 'request');
    // Of an upgrade that was refused: Node has let go of its connection, and nobody else would close it.
    if (isChatSocketUpgrade(request.raw)) request.raw.socket.destroySoon();
  });
  await app.register(fastifyHelmet, strictHeaders);
  if (serverDeps.allowedOrigins.length > 0) await app.register(fastifyCors, { ...corsOptions, origin: [...serverDeps.allowedOrigins] });
  const rateLimits = await createRateLimits(app, {
    perMinute: serverDeps.rateLimitPerMinute,
    wrongKeysPerMinute: limits.wrongKeysPerMinute,
  });
  const metrics = new Metrics(serverDeps.models, serverDeps.trainings, serverDeps.evaluations);
  guard(app, { access: new Access(serverDeps), rateLimits, drain, metrics });
  const deps: AppDeps = { ...serverDeps, metrics, rateLimits, queues: new AnswerQueues(), checkQueue: new CheckQueue(drain) };
  await describeApp(app);
  await app.register(systemRoutes(deps));
  await app.register(openaiRoutes(deps));
  await app.register(runRoutes(deps));
  await app.register(startRunRoutes(deps));
  await app.register(checkRunRoute(deps));
  await app.register(pushRoutes(deps));
  await app.register(chatSocketRoute(deps));
  return app;
}

/**
 * Closes what `close()` of Node would wait for: connections opened ahead that never sent a request,
 * and those kept alive after an answer that was streamed into the shutdown.
 */
function closeConnectionsAtShutdown(app: FastifyInstance, drain: Drain): void {
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
  app.server.on('upgrade', (request) => silent.delete(request.socket));
  app.addHook('preClose', async () => {
    drain.begin();
    isClosing = true;
    for (const socket of silent) socket.destroy();
  });
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?')[0] ?? '';
}
