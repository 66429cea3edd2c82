import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { OSLER_ERR_INTERRUPTED, OSLER_ERR_QUEUE_FULL } from '../../core/errors.ts';
import type { AppDeps } from '../app.ts';
import { EmbeddingList, EmbeddingRequest, encodeEmbeddings, readEmbeddingRequest } from '../openai/embedding.ts';
import { describeRoute, json } from '../openapi.ts';
import { infoOfReady } from '../ready-engine.ts';
import { withRetryAfter } from '../retry-after.ts';

/** Nobody knows how long the embeddings ahead will take. */
const embeddingRetrySeconds = 5;

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
    app.post('/v1/embeddings', { schema }, async ({ body }, reply) => {
      const model = deps.models.get(body.model);
      const { embeddingSize } = await infoOfReady(model);
      const texts = readEmbeddingRequest(body, embeddingSize);
      const leaving = new AbortController();
      reply.raw.once('close', () => leaving.abort());
      const leaveDrain = deps.drain.enter();
      try {
        const work = model.engine.embed(texts, AbortSignal.any([leaving.signal, deps.drain.timeUp]));
        return encodeEmbeddings(body, await deps.metrics.observeWork(model.name, work));
      } catch (error) {
        if (leaving.signal.aborted) throw new OSLER_ERR_INTERRUPTED('The client left before the embeddings were there.');
        if (!(error instanceof OSLER_ERR_QUEUE_FULL)) throw error;
        throw withRetryAfter(error, embeddingRetrySeconds);
      } finally {
        leaveDrain();
      }
    });
  };
}
