import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AppDeps } from '../app.ts';
import { describeRoute, json } from '../openapi.ts';
import { fingerprintOf, type ServedModel } from '../served-model.ts';

const Model = z
  .looseObject({
    id: z.string().describe('name for the field `model` of requests'),
    object: z.literal('model'),
    created: z.int(),
    owned_by: z.string(),
    osler: z.looseObject({
      ref: z.string().describe('what the name stands for'),
      fingerprint: z.string(),
      weights_sha256: z.string().nullable().describe('null: the weights are an upstream’s'),
      template_sha256: z.string(),
      state: z.string(),
    }),
  })
  .meta({ id: 'Model' });

const ModelParams = z.object({ id: z.string().min(1) });

/** GET /v1/models and /v1/models/:id. */
export function modelRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  return async (app) => {
    const list = describeRoute(
      {},
      {
        tag: 'openai',
        summary: 'Lists the models by name, with the sha256 of weights and template',
        response: { 200: json(z.looseObject({ object: z.literal('list'), data: z.array(Model) }), 'the models') },
      },
    );
    app.get('/v1/models', { schema: list }, async () => ({ object: 'list', data: deps.models.list().map(encodeModel) }));

    const one = describeRoute(
      { params: ModelParams },
      { tag: 'openai', summary: 'Tells of one model', response: { 200: json(Model, 'the model') } },
    );
    app.get('/v1/models/:id', { schema: one }, async (request) => encodeModel(deps.models.get(request.params.id)));
  };
}

function encodeModel(model: ServedModel) {
  return {
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
  };
}
