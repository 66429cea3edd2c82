import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { AppDeps } from '../app.ts';
import { chatRoutes } from './chat.ts';
import { completionRoutes } from './completions.ts';
import { embeddingRoutes } from './embeddings.ts';
import { engineToolRoutes } from './engine-tools.ts';
import { modelRoutes } from './models.ts';
import { responseRoutes } from './responses.ts';

/** Everything that OpenAI's and llama-server's clients ask for. */
export function openaiRoutes(deps: AppDeps): FastifyPluginAsyncZod {
  return async (app) => {
    // Clients show it with every error.
    app.addHook('onRequest', async (request, reply) => void reply.header('x-request-id', request.id));
    for (const routes of [chatRoutes, completionRoutes, responseRoutes, embeddingRoutes, modelRoutes, engineToolRoutes])
      await app.register(routes(deps));
  };
}
