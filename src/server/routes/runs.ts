import { Readable } from 'node:stream';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { messageOf } from '../../core/errors.ts';
import { resolveRecipe } from '../../train/recipe.ts';
import type { AppDeps } from '../app.ts';
import { checkServicePaths } from '../service-paths.ts';
import { encodeSse } from '../sse.ts';

/** Body of POST /api/runs: a preset and what to change in it. */
export const StartRun = z.strictObject({
  preset: z.string().min(1).default('smoke'),
  data: z.string().min(1).optional(),
  base: z.string().min(1).optional(),
  set: z.record(z.string(), z.unknown()).default({}),
  dryRun: z.boolean().default(false).describe('emit the events of a run without training; makes no model'),
});

const RunParams = z.object({ id: z.string().min(1) });

/** Starting, following and cancelling trainings. */
export function runRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  const { trainings } = deps;
  return async (app) => {
    app.get('/api/runs', async () => ({ runs: trainings.list() }));

    app.post('/api/runs', { schema: { body: StartRun } }, async (request, reply) => {
      const { preset, data, base, set, dryRun } = request.body;
      // A recipe file would be read from the server's disk: presets only.
      const recipe = await resolveRecipe({
        preset: preset.replaceAll(/[/\\]|\.json$/g, '?'),
        set: { ...(data !== undefined && { 'data.ref': data }), ...(base !== undefined && { 'base.ref': base }), ...set },
      });
      checkServicePaths(recipe, trainings.home);
      await trainings.check(recipe);
      const key = request.headers['idempotency-key'];
      const { run, isNew } = trainings.create(recipe, typeof key === 'string' && key !== '' ? key : null);
      if (isNew)
        trainings
          .execute(run.id, { isDryRun: dryRun })
          .catch((error: unknown) => request.log.warn({ run: run.id, reason: messageOf(error) }, 'run ended early'));
      return await reply
        .status(isNew ? 202 : 200)
        .header('location', `/api/runs/${run.id}`)
        .send(run);
    });

    app.get('/api/runs/:id', { schema: { params: RunParams } }, async (request) => trainings.get(request.params.id));

    app.delete('/api/runs/:id', { schema: { params: RunParams } }, async (request) => trainings.cancel(request.params.id));

    app.get('/api/runs/:id/events', { schema: { params: RunParams } }, async (request, reply) => {
      const { id } = request.params;
      trainings.get(id);
      const left = new AbortController();
      reply.raw.once('close', () => left.abort());
      async function* data() {
        for await (const event of trainings.events(id, left.signal)) yield { event: 'trainer', data: JSON.stringify(event) };
        if (!left.signal.aborted) yield { event: 'state', data: JSON.stringify(await trainings.settled(id, left.signal)) };
      }
      return await reply
        .header('content-type', 'text/event-stream; charset=utf-8')
        .header('cache-control', 'no-cache')
        .send(Readable.from(encodeSse(data())));
    });
  };
}
