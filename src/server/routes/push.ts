import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { messageOf } from '../../core/errors.ts';
import { publishedParts } from '../../train/publish/publish-files.ts';
import { PushRecord } from '../../train/publish/push-record.ts';
import type { PushStatus } from '../../train/publish/pushes.ts';
import type { AppDeps } from '../app.ts';
import { describeRoute, json } from '../openapi.ts';
import { RunParams } from './run-params.ts';

/** Body of POST /api/runs/:id/push. The token is the server's own HF_TOKEN; none is taken from here. */
const StartPush = z.strictObject({
  repo: z.string().min(1).optional().describe('owner/name; default: the recipe’s output.name in the account of HF_TOKEN'),
  public: z.boolean().default(false).describe('everybody may see it; never changes a repository that is there'),
  what: z.array(z.enum(publishedParts)).min(1).optional().describe('default: all that the run made'),
  revision: z.string().min(1).default('main').describe('branch; made where it is missing'),
});

const Push = PushRecord.extend({
  isRunning: z.boolean().describe('false beside the state pushing: broken off with the server; push again, it goes on'),
  progress: z
    .strictObject({
      phase: z.enum(['hashing', 'uploading', 'committing']),
      path: z.string().nullable(),
      doneBytes: z.int(),
      totalBytes: z.int(),
    })
    .nullable(),
}).meta({ id: 'Push' });

/** Pushing what a run made to the Hub, and looking how far that is. */
export function pushRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  const { pushes, drain } = deps;
  const start = describeRoute(
    { params: RunParams, body: StartPush },
    {
      tag: 'runs',
      summary: 'Pushes adapter, merged model, GGUF files and a model card of a training to the Hub; private unless asked otherwise',
      description:
        'Goes on in the background. The same request again while it runs gives the push that runs; after a push that was broken off, it goes on from there.',
      response: { 200: json(Push, 'the push that runs already'), 202: json(Push, 'the push') },
    },
  );
  const one = describeRoute(
    { params: RunParams },
    { tag: 'runs', summary: 'Tells of the last push of a training', response: { 200: json(Push, 'the push') } },
  );
  return async (app) => {
    app.post('/api/runs/:id/push', { schema: start }, async (request, reply) => {
      const { id } = request.params;
      const { repo, what, revision } = request.body;
      const { status, isNew } = await pushes.start(
        id,
        { repo, parts: what, revision, visibility: request.body.public ? 'public' : 'private' },
        { signal: drain.signal, onFailure: (error) => request.log.warn({ run: id, reason: messageOf(error) }, 'push ended early') },
      );
      return await reply
        .status(isNew ? 202 : 200)
        .header('location', `/api/runs/${id}/push`)
        .send(encodePush(status));
    });

    app.get('/api/runs/:id/push', { schema: one }, async (request) => encodePush(await pushes.status(request.params.id)));
  };
}

function encodePush({ record, isRunning, progress }: PushStatus): z.infer<typeof Push> {
  return { ...record, isRunning, progress };
}
