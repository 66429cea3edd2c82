import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { digestOfJson } from '../../core/digest.ts';
import { OSLER_ERR_IDEMPOTENCY_KEY, OSLER_ERR_NOT_FOUND } from '../../core/errors.ts';
import { Run } from '../../core/schema/run.ts';
import { CheckFinding, TrainingCheck } from '../../core/schema/training-check.ts';
import type { AppDeps } from '../app.ts';
import { describeRoute, json } from '../openapi.ts';
import { takeUpRun } from '../take-up-run.ts';
import { RunParams } from './run-params.ts';
import { RecipeRequest, requestedRecipe } from './recipe-request.ts';

/** Body of POST /api/runs. */
export const StartRun = RecipeRequest.extend({
  dryRun: z.boolean().default(false).describe('emit the events of a run without training; makes no model'),
  ignoreEstimates: z.boolean().default(false).describe('start although memory or disk are estimated to be short'),
});

/** Its reply. */
export const StartedRun = Run.extend({
  findings: z.array(CheckFinding).describe('of the check before it, warnings first: what POST /api/runs/check tells'),
});
export type StartedRun = z.infer<typeof StartedRun>;

/** Starting a training, once it was checked, and what that check found. */
export function startRunRoutes({ trainings, startTraining, checkQueue }: AppDeps): FastifyPluginAsyncZod {
  const start = describeRoute(
    { body: StartRun },
    {
      tag: 'runs',
      summary: 'Starts a training',
      description:
        'It is checked first, as by POST /api/runs/check: errors refuse it with 424 and all findings in `error.findings`, unless they are estimates and `ignoreEstimates` is set; warnings are in `findings`. With the header `Idempotency-Key` a repeated request trains once, and is checked once.',
      response: { 200: json(StartedRun, 'the training that this key had started'), 202: json(StartedRun, 'the training') },
    },
  );
  const check = describeRoute(
    { params: RunParams },
    {
      tag: 'runs',
      summary: 'Tells what the check before a training found',
      response: { 200: json(TrainingCheck, 'the check, as POST /api/runs/check tells it') },
    },
  );
  return async (app) => {
    app.post('/api/runs', { schema: start }, async (request, reply) => {
      const { launcher, dryRun, ignoreEstimates } = request.body;
      const recipe = await requestedRecipe(request.body, trainings.home);
      const header = request.headers['idempotency-key'];
      const idempotencyKey = typeof header === 'string' && header !== '' ? header : null;
      const known = (): Run | undefined => (idempotencyKey === null ? undefined : trainings.findByKey(idempotencyKey));
      const found = known();
      const { run, isNew } =
        found === undefined
          ? await checkQueue.run(reply, async (signal) => {
              // Another request with this key may have come first.
              const before = known();
              if (before !== undefined) return { run: before, isNew: false };
              return await startTraining(recipe, { launcher, isDryRun: dryRun, ignoresEstimates: ignoreEstimates, idempotencyKey, signal });
            })
          : { run: found, isNew: false };
      if (!isNew) requireSame(run, { recipe, launcher, isDryRun: dryRun }, idempotencyKey);
      // Not only a new one: a server may have died between writing down a run and working on it.
      takeUpRun(trainings, run.id, request.log);
      const findings = (await trainings.checkOf(run.id))?.findings ?? [];
      return await reply
        .status(isNew ? 202 : 200)
        .header('location', `/api/runs/${run.id}`)
        .send({ ...run, findings });
    });

    app.get('/api/runs/:id/check', { schema: check }, async (request) => {
      const { id } = request.params;
      const found = await trainings.checkOf(id);
      if (found === undefined) throw new OSLER_ERR_NOT_FOUND('check of run', id);
      return found;
    });
  };
}

/** Throws OSLER_ERR_IDEMPOTENCY_KEY where a key's run was asked for in other words. */
function requireSame(run: Run, asked: Pick<Run, 'recipe' | 'launcher' | 'isDryRun'>, key: string | null): void {
  const known = { recipe: run.recipe, launcher: run.launcher, isDryRun: run.isDryRun };
  if (digestOfJson(known) !== digestOfJson(asked)) throw new OSLER_ERR_IDEMPOTENCY_KEY(key, run.id);
}
