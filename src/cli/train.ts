import { Command } from 'commander';
import { OSLER_ERR_RUN_STATE } from '../core/errors.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import { parseAssignments, resolveRecipe } from '../train/recipe.ts';
import { splitSettings } from '../train/data/split-slice.ts';
import { requireCheck, runCheck } from './check-training.ts';
import { type CliContext, openContext } from './context.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter, type Reporter } from './progress.ts';
import { showTraining } from './training-report.ts';

interface TrainFlags {
  readonly preset: string;
  readonly data?: string;
  readonly split?: string;
  readonly base?: string;
  readonly template?: string;
  readonly set: string[];
  readonly resume?: string;
  readonly check?: boolean;
  readonly items: string[];
  readonly ignoreEstimates?: boolean;
  readonly showRecipe?: boolean;
  readonly json?: boolean;
}

/** `osler train`: from rows to a registered, tuned model. */
export function trainCommand(): Command {
  return new Command('train')
    .description('train a LoRA adapter on medical questions with reasoning, merge it and export it as GGUF')
    .option('--preset <name>', 'smoke, tutorial, recommended, or the path of a recipe file', 'smoke')
    .option('--data <ref>', 'file of rows (JSON, JSON Lines, CSV, Parquet), folder of such, or Hub data set owner/name[@revision][:path]')
    .option('--split <slice>', 'split of the data set, and which rows of it: train, train[0:500], train[:10%], train[-100:]')
    .option('--base <ref>', 'base model: path, registry id or Hub id')
    .option('--template <file>', 'Jinja chat template in place of the preset’s')
    .option(
      '--set <field=value>',
      'override any field of the recipe, such as trainer.maxSteps=5',
      (word: string, words: string[]) => [...words, word],
      [],
    )
    .option('--resume <run>', 'go on with a run that was stopped')
    .option('--check', 'say what would go wrong, and with which setting it is mended; start nothing (ends with 3 on an error)')
    .option(
      '--items <file>',
      'evaluation items to look for among the training rows, beside the benchmarks; with --check',
      (word: string, words: string[]) => [...words, word],
      [],
    )
    .option('--ignore-estimates', 'start although memory or disk are estimated to be short')
    .option('--show-recipe', 'print the resolved recipe and do nothing')
    .option('--json', 'print the run as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  osler train --check --preset tutorial --split "train[0:500]"\n  osler train --preset smoke --data rows.jsonl --base smollm2-135m-instruct\n  osler train --preset tutorial --show-recipe\n  osler train --resume run-20261123t2305-1a2b3c4d',
    )
    .action(async (flags: TrainFlags) => runTrain(flags));
}

/** The recipe that flags ask for. */
export async function recipeOf(flags: Pick<TrainFlags, 'preset' | 'data' | 'split' | 'base' | 'template' | 'set'>): Promise<Recipe> {
  const set = {
    ...(flags.data !== undefined && { 'data.ref': flags.data }),
    ...(flags.split !== undefined && recipeFields(splitSettings(flags.split))),
    ...(flags.base !== undefined && { 'base.ref': flags.base }),
    ...(flags.template !== undefined && { template: flags.template }),
    ...parseAssignments(flags.set),
  };
  return await resolveRecipe({ preset: flags.preset, set });
}

function recipeFields(settings: ReturnType<typeof splitSettings>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).map(([name, value]) => [`data.${name}`, value]));
}

async function runTrain(flags: TrainFlags): Promise<void> {
  const recipe = flags.resume === undefined ? await recipeOf(flags) : undefined;
  if (flags.showRecipe === true) {
    process.stdout.write(`${JSON.stringify(recipe, null, 2)}\n`);
    return;
  }
  const context = openContext();
  const reporter = createReporter(context.config);
  if (recipe !== undefined && flags.check === true)
    return await runCheck(context, recipe, { itemFiles: flags.items, json: flags.json === true }, reporter);
  const id =
    recipe === undefined
      ? resumable(context, flags.resume ?? '')
      : await startRun(context, recipe, flags.ignoreEstimates === true, reporter);
  await trainWithProgress(context, id, reporter);
  const model = context.models.find(id);
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ run: id, model })}\n`);
  else
    process.stdout.write(
      `Run ${id} is done. Tuned model: ${model?.ggufFile ?? ''}\nServe it:    npx osler serve --model tuned=${id}\nEvaluate it: npm run eval -- --base ${context.trainings.get(id).recipe.base.ref} --tuned ${id} --tasks mini\n`,
    );
}

/** Takes a run to its end with progress on stderr; Ctrl-C saves and says how to go on. */
export async function trainWithProgress(context: CliContext, id: string, reporter: Reporter, signal?: AbortSignal): Promise<void> {
  const view = showTraining(reporter);
  const stop =
    signal ?? interruptSignal(() => reporter.info('stopping after this step; a checkpoint is being saved (Ctrl-C again ends at once)'));
  try {
    await context.trainings.execute(id, { onStep: (step) => reporter.step(step), onEvent: view.onEvent, signal: stop });
  } finally {
    view.stop();
  }
}

async function startRun(context: CliContext, recipe: Recipe, ignoresEstimates: boolean, reporter: Reporter): Promise<string> {
  await requireCheck(context, recipe, { ignoresEstimates }, reporter);
  return context.trainings.create(recipe).run.id;
}

function resumable(context: CliContext, id: string): string {
  const run = context.trainings.get(id);
  if (run.state === 'done' || run.state === 'cancelled') throw new OSLER_ERR_RUN_STATE(id, run.state, 'there is nothing to go on with.');
  return id;
}
