import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { AppDeps } from '../app.ts';
import { fingerprintOf } from '../served-model.ts';

/** /v1/models, /health, /livez, /readyz and /metrics. */
export function systemRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  const states = (): Record<string, string> => Object.fromEntries(deps.models.list().map((model) => [model.name, model.engine.state.name]));
  return async (app) => {
    app.get('/v1/models', async () => ({
      object: 'list',
      data: deps.models.list().map((model) => ({
        id: model.name,
        object: 'model',
        created: model.createdSeconds,
        owned_by: 'osler',
        osler: {
          ref: model.ref,
          fingerprint: fingerprintOf(model),
          weights_sha256: model.weightsDigest,
          template_sha256: model.template.digest,
          state: model.engine.state.name,
        },
      })),
    }));
    app.get('/livez', async () => ({ status: 'ok' }));
    app.get('/health', async () => ({ status: 'ok', models: states() }));
    app.get('/readyz', async (_request, reply) => {
      const isReady = deps.models.list().every((model) => model.engine.state.name === 'ready');
      return await reply.status(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready', models: states() });
    });
    app.get('/metrics', async (_request, reply) => {
      const text = await deps.metrics.registry.metrics();
      return await reply.header('content-type', deps.metrics.registry.contentType).send(text);
    });
  };
}
