import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { OSLER_ERR_INTERRUPTED } from '../../core/errors.ts';
import type { Recipe } from '../../core/schema/recipe.ts';
import { TrainingCheck } from '../../core/schema/training-check.ts';
import { splitSettings } from '../../train/data/split-slice.ts';
import { resolveRecipe } from '../../train/recipe.ts';
import { describeRoute, json } from '../openapi.ts';
import { checkServicePaths } from '../service-paths.ts';

/** Body of POST /api/runs/check: the recipe of a training that might be started. */
export const CheckRun = z.strictObject({
  preset: z.string().min(1).default('smoke'),
  data: z.string().min(1).optional(),
  split: z.string().min(1).optional().describe('such as train[0:500]'),
  base: z.string().min(1).optional(),
  set: z.record(z.string(), z.unknown()).default({}),
  asksTrainer: z.boolean().default(true).describe('false: rows only, without lengths, memory and disk'),
});

export interface CheckRunDeps {
  readonly home: string;
  readonly checkTraining: (recipe: Recipe, options: { asksTrainer: boolean; signal: AbortSignal }) => Promise<TrainingCheck>;
}

/** Checks a training before there is one. One check at a time: each may start a Python and read gigabytes. */
export function checkRunRoute(deps: CheckRunDeps): FastifyPluginAsyncZod {
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
  let last: Promise<unknown> = Promise.resolve();
  return async (app) => {
    app.post('/api/runs/check', { schema }, async (request, reply) => {
      const { preset, data, split, base, set, asksTrainer } = request.body;
      // A recipe file would be read from the server's disk: presets only.
      const recipe = await resolveRecipe({
        preset: preset.replaceAll(/[/\\]|\.json$/g, '?'),
        set: {
          ...(data !== undefined && { 'data.ref': data }),
          ...(base !== undefined && { 'base.ref': base }),
          ...(split !== undefined &&
            Object.fromEntries(Object.entries(splitSettings(split)).map(([name, value]) => [`data.${name}`, value]))),
          ...set,
        },
      });
      checkServicePaths(recipe, deps.home);
      const left = new AbortController();
      reply.raw.once('close', () => left.abort(new OSLER_ERR_INTERRUPTED('The client left.')));
      const check = last.then(async () => {
        left.signal.throwIfAborted();
        return await deps.checkTraining(recipe, { asksTrainer, signal: left.signal });
      });
      last = check.catch(() => undefined);
      return await check;
    });
  };
}
