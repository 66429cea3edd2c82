import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { TrainingCheck } from '../../core/schema/training-check.ts';
import type { AppDeps } from '../app.ts';
import { describeRoute, json } from '../openapi.ts';
import { RecipeRequest, requestedRecipe } from './recipe-request.ts';

/** Body of POST /api/runs/check: the recipe of a training that might be started. */
export const CheckRun = RecipeRequest.extend({
  asksTrainer: z.boolean().default(true).describe('false: rows only, without lengths, memory and disk'),
});

/** Checks a training before there is one. */
export function checkRunRoute(deps: Pick<AppDeps, 'trainings' | 'checkTraining' | 'checkQueue'>): FastifyPluginAsyncZod {
  const schema = describeRoute(
    { body: CheckRun },
    {
      tag: 'runs',
      summary: 'Checks a training without starting it',
      description:
        'Columns, bad rows, repeats, evaluation items in the data, token lengths, memory and disk, each finding with the setting that mends it.',
      response: { 200: json(TrainingCheck, 'what was found') },
    },
  );
  return async (app) => {
    app.post('/api/runs/check', { schema }, async (request, reply) => {
      const { launcher, asksTrainer } = request.body;
      const recipe = await requestedRecipe(request.body, deps.trainings.home);
      return await deps.checkQueue.run(reply, async (signal) => await deps.checkTraining(recipe, { launcher, asksTrainer, signal }));
    });
  };
}
