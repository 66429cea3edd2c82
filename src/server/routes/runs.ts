import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { Run } from '../../core/schema/run.ts';
import type { AppDeps } from '../app.ts';
import { describeRoute, eventStream, json } from '../openapi.ts';
import { RunParams } from './run-params.ts';
import { sseBlock, sseHeaders, sseStream } from '../sse.ts';
import { takeUpRun } from '../take-up-run.ts';

/** What needs no settings is asked for with `{}`: a page of a foreign site may post anything but JSON. */
const NoSettings = z.strictObject({});

/** Following, stopping, resuming and cancelling trainings. */
export function runRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  const { trainings } = deps;
  const list = describeRoute(
    {},
    { tag: 'runs', summary: 'Lists all trainings', response: { 200: json(z.looseObject({ runs: z.array(Run) }), 'the trainings') } },
  );
  const one = describeRoute(
    { params: RunParams },
    { tag: 'runs', summary: 'Tells of one training', response: { 200: json(Run, 'the training') } },
  );
  const cancel = describeRoute(
    { params: RunParams },
    { tag: 'runs', summary: 'Cancels a training; the trainer saves a checkpoint first', response: { 200: json(Run, 'the training') } },
  );
  const stop = describeRoute(
    { params: RunParams, body: NoSettings },
    {
      tag: 'runs',
      summary: 'Stops a training',
      description:
        'The trainer finishes its step and saves a checkpoint; then the state is `stopped`, and the training can be resumed. The body is `{}`.',
      response: { 202: json(Run, 'the training') },
    },
  );
  const resume = describeRoute(
    { params: RunParams, body: NoSettings },
    {
      tag: 'runs',
      summary: 'Goes on with a training',
      description: 'One that was stopped, has failed, or whose process has died. What it has done already is kept. The body is `{}`.',
      response: { 202: json(Run, 'the training') },
    },
  );
  const events = describeRoute(
    { params: RunParams },
    {
      tag: 'runs',
      summary: 'Follows a training',
      description:
        'Events `trainer` (see python/osler_trainer/contract/train-event.schema.json), all from the first on, and `state`, the training itself, each time that its state or its place in the queue changes. The last one is the state in which it ended.',
      response: { 200: { description: 'server-sent events', content: eventStream } },
    },
  );
  return async (app) => {
    app.get('/api/runs', { schema: list }, async () => ({ runs: trainings.list() }));

    app.get('/api/runs/:id', { schema: one }, async (request) => trainings.get(request.params.id));

    app.delete('/api/runs/:id', { schema: cancel }, async (request) => {
      const run = trainings.cancel(request.params.id);
      takeUpRun(trainings, run.id, request.log);
      return run;
    });

    app.post('/api/runs/:id/stop', { schema: stop }, async (request, reply) => {
      const run = trainings.stop(request.params.id);
      takeUpRun(trainings, run.id, request.log);
      return await reply.status(202).send(run);
    });

    app.post('/api/runs/:id/resume', { schema: resume }, async (request, reply) => {
      const run = await trainings.resume(request.params.id);
      takeUpRun(trainings, run.id, request.log);
      return await reply.status(202).send(run);
    });

    app.get('/api/runs/:id/events', { schema: events }, async (request, reply) => {
      const { id } = request.params;
      trainings.get(id);
      const left = new AbortController();
      reply.raw.once('close', () => left.abort());
      // A training outlives this server: its followers must not hold the server's end.
      const ended = AbortSignal.any([left.signal, deps.drain.signal]);
      async function* blocks() {
        // The headers leave with the first bytes, and a run may be silent for long.
        yield ': open\n\n';
        for await (const news of trainings.feed(id, ended))
          yield sseBlock(JSON.stringify(news.kind === 'trainer' ? news.event : news.run), news.kind);
      }
      return await reply.headers(sseHeaders).send(sseStream(blocks()));
    });
  };
}
