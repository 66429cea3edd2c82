import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Command } from 'commander';
import { childEnvironment } from '../core/config.ts';
import { packageRoot } from '../core/package-root.ts';
import type { Recipe } from '../core/schema/recipe.ts';
import type { Run } from '../core/schema/run.ts';
import { parseAssignments, resolveRecipe } from '../train/recipe.ts';
import { recipeSettings } from '../train/recipe-settings.ts';
import { certificateLine } from './certificate-line.ts';
import { runCheck, startChecked } from './check-training.ts';
import { type CliContext, openContext } from './context.ts';
import { illustrate, illustrationText } from './illustrate.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter, type Reporter } from './progress.ts';
import { describePush, pushWithProgress } from './push.ts';
import { showTraining } from './training-report.ts';

interface TrainFlags {
  readonly preset: string;
  readonly data?: string;
  readonly split?: string;
  readonly base?: string;
  readonly template?: string;
  readonly set: string[];
  readonly on: string;
  readonly resume?: string;
  readonly check?: boolean;
  readonly items: string[];
  readonly ignoreEstimates?: boolean;
  readonly detach?: boolean;
  readonly ask?: boolean;
  readonly push?: boolean;
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
    .option('--on <launcher>', 'where to train: local, or a name of launchers.json', 'local')
    .option('--resume <run>', 'go on with a run that was stopped, has failed, or whose process has died')
    .option('--check', 'say what would go wrong, and with which setting it is mended; start nothing (ends with 3 on an error)')
    .option(
      '--items <file>',
      'evaluation items to look for among the training rows, beside the benchmarks; with --check',
      (word: string, words: string[]) => [...words, word],
      [],
    )
    .option('--ignore-estimates', 'start although memory or disk are estimated to be short')
    .option('--detach', 'train in the background, and return at once')
    .option('--ask', 'then ask base and tuned the tutorial’s question, and show both answers; they are kept in the run')
    .option('--push', 'then push what the run made to the Hub, private (osler push has more settings)')
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
  return await resolveRecipe({ preset: flags.preset, set: { ...recipeSettings(flags), ...parseAssignments(flags.set) } });
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
    return await runCheck(context, recipe, { launcher: flags.on, itemFiles: flags.items, json: flags.json === true }, reporter);
  const run = recipe === undefined ? await context.trainings.resume(flags.resume ?? '') : await startRun(context, recipe, flags, reporter);
  if (flags.detach === true) return await detach(context, run, flags.json === true);
  const { id } = run;
  await trainUntilInterrupted(context, id, reporter);
  if (flags.ask === true) {
    using signal = interruptSignal(() => reporter.info('stopping; the run is done and kept'));
    const text = illustrationText(await illustrate(context, id, reporter, signal));
    if (flags.json !== true) process.stdout.write(text);
  }
  if (flags.push === true) {
    using signal = interruptSignal(() => reporter.info('stopping; the run is kept, and nothing was changed on the Hub'));
    reporter.info(describePush(context, id, await pushWithProgress(context, id, reporter, { signal })));
  }
  const model = context.models.find(id);
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ run: id, model })}\n`);
  else
    process.stdout.write(
      `Run ${id} is done. Tuned model: ${model?.ggufFile ?? ''}\nCertificate: ${await certificateLine(context.trainings.folder(id))}\nServe it:    npx osler serve --model tuned=${id}\nEvaluate it: npm run eval -- --base ${context.trainings.get(id).recipe.base.ref} --tuned ${id} --tasks mini\n`,
    );
}

/** Takes a run to its end with progress on stderr. */
export async function trainWithProgress(context: CliContext, id: string, reporter: Reporter, signal: AbortSignal): Promise<void> {
  const view = showTraining(reporter);
  try {
    await context.trainings.execute(id, { onStep: (step) => reporter.step(step), onEvent: view.onEvent, signal });
  } finally {
    view.stop();
  }
}

/** Ctrl-C saves and says how to go on. */
async function trainUntilInterrupted(context: CliContext, id: string, reporter: Reporter): Promise<void> {
  using signal = interruptSignal(() => reporter.info('stopping after this step; a checkpoint is being saved (Ctrl-C again ends at once)'));
  await trainWithProgress(context, id, reporter, signal);
}

async function startRun(context: CliContext, recipe: Recipe, flags: TrainFlags, reporter: Reporter): Promise<Run> {
  using signal = interruptSignal(() => reporter.info('stopping; nothing was begun'));
  const options = { launcher: flags.on, ignoresEstimates: flags.ignoreEstimates === true };
  return await startChecked(context, recipe, options, reporter, signal);
}

/** Hands a queued run to a process of its own, which says what it does in the run's folder. */
async function detach(context: CliContext, { id }: Run, isJson: boolean): Promise<void> {
  const { root } = context.trainings.folder(id);
  await mkdir(root, { recursive: true });
  const log = openSync(path.join(root, 'osler.log'), 'a');
  const words = [path.join(packageRoot, 'bin/osler.js'), 'train', '--resume', id];
  const child = spawn(process.execPath, words, { detached: true, stdio: ['ignore', log, log], env: childEnvironment({}) });
  closeSync(log);
  await once(child, 'spawn');
  child.unref();
  if (isJson) process.stdout.write(`${JSON.stringify({ run: id })}\n`);
  else
    process.stdout.write(
      `Run ${id} goes on in the background.\nFollow it: npx osler runs show ${id} --follow\nStop it:   npx osler runs stop ${id}\n`,
    );
}
