import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { AppDeps } from '../app.ts';
import { EmbeddingList, EmbeddingRequest, encodeEmbeddings, readEmbeddingRequest } from '../openai/embedding.ts';
import { describeRoute, json } from '../openapi.ts';
import { infoOfReady } from '../ready-engine.ts';

/** POST /v1/embeddings, where the model can. */
export function embeddingRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  return async (app) => {
    const schema = describeRoute(
      { body: EmbeddingRequest },
      {
        tag: 'openai',
        summary: 'Embeds texts, where the model can',
        response: { 200: json(EmbeddingList, 'a vector of unit length for each text') },
      },
    );
    app.post('/v1/embeddings', { schema }, async ({ body }) => {
      const model = deps.models.get(body.model);
      const { embeddingSize } = await infoOfReady(model);
      return encodeEmbeddings(body, await model.engine.embed(readEmbeddingRequest(body, embeddingSize)));
    });
  };
}
