import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AppDeps } from '../app.ts';
import { describeRoute, json } from '../openapi.ts';

const States = z.looseObject({ status: z.string(), models: z.record(z.string(), z.string()).describe('state of each engine') });

/** /health, /livez, /readyz and /metrics. */
export function systemRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  const states = (): Record<string, string> => Object.fromEntries(deps.models.list().map((model) => [model.name, model.engine.state.name]));
  const describe = (summary: string, response: Readonly<Record<number, unknown>>) =>
    describeRoute({}, { tag: 'system', summary, response });
  const live = describe('Says that the process answers', { 200: json(z.looseObject({ status: z.literal('ok') }), 'it does') });
  const health = describe('The same, with the states of the engines', { 200: json(States, 'it does') });
  const ready = describe('Says whether every model can answer', {
    200: json(States, 'they can'),
    503: json(States, 'one cannot, or the server is going down'),
  });
  const metrics = describe('Figures for Prometheus; see docs/metrics.md', {
    200: { description: 'Prometheus’ text format', content: { 'text/plain': { schema: z.string() } } },
  });
  return async (app) => {
    app.get('/livez', { schema: live }, async () => ({ status: 'ok' }));
    app.get('/health', { schema: health }, async () => ({ status: 'ok', models: states() }));
    app.get('/readyz', { schema: ready }, async (_request, reply) => {
      const isReady = !deps.drain.isDraining && deps.models.list().every((model) => model.engine.state.name === 'ready');
      return await reply.status(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready', models: states() });
    });
    app.get('/metrics', { schema: metrics }, async (_request, reply) => {
      const text = await deps.metrics.text();
      return await reply.header('content-type', deps.metrics.registry.contentType).send(text);
    });
  };
}
