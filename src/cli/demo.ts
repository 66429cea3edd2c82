import path from 'node:path';
import { Command } from 'commander';
import { messageOf, OSLER_ERR_INTERRUPTED } from '../core/errors.ts';
import { certificateLine } from './certificate-line.ts';
import { startChecked } from './check-training.ts';
import { type CliContext, openContext } from './context.ts';
import { evaluate, verdictText } from './evaluate.ts';
import { illustrate, illustrationText } from './illustrate.ts';
import { interruptSignal } from './interrupt.ts';
import { type OpenedModel, openModel } from './open-model.ts';
import { createReporter, type Reporter } from './progress.ts';
import { portNumber, positiveNumber } from './flag-values.ts';
import { serveUntilStopped } from './serve.ts';
import { recipeOf, trainWithProgress } from './train.ts';

interface DemoFlags {
  readonly serve: boolean;
  readonly port: number;
  readonly preset: string;
  readonly set: string[];
  readonly limit?: number;
  readonly ignoreEstimates?: boolean;
}

/** The budgets of the smoke evaluation: short, to end in minutes on two cores; the report says so in its settings. */
const smokeBudgets = { thinkingBudgetTokens: 128, answerBudgetTokens: 64 };

/** `osler demo`: the whole way, from rows to a verdict and a server, on a small real model. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('the main job end to end on a small real model: train, export, evaluate, report, serve')
    .option('--no-serve', 'end after the report')
    .option('--port <number>', 'port to serve on', portNumber, 8080)
    .option('--preset <name>', 'recipe to train by', 'smoke')
    .option('--set <field=value>', 'override a field of the recipe', (word: string, words: string[]) => [...words, word], [])
    .option('--ignore-estimates', 'start although memory or disk are estimated to be short')
    .option('--limit <number>', 'evaluate on the first so many items of each task', positiveNumber)
    .addHelpText('after', '\nExamples:\n  npm run demo\n  npm run demo -- --no-serve')
    .action(async (flags: DemoFlags) => runDemo(flags));
}

async function runDemo(flags: DemoFlags): Promise<void> {
  const context = openContext();
  const reporter = createReporter(context.config);
  const { runId, baseRef } = await trainAndEvaluate(context, flags, reporter);
  if (flags.serve) await serveBoth(context, runId, baseRef, flags.port, reporter);
}

/** From rows to a verdict, which it prints. */
async function trainAndEvaluate(context: CliContext, flags: DemoFlags, reporter: Reporter): Promise<{ runId: string; baseRef: string }> {
  const startedSeconds = performance.now() / 1000;
  using signal = interruptSignal(() => reporter.info('stopping; what is done is kept'));
  const recipe = await recipeOf({ preset: flags.preset, set: flags.set });
  reporter.step('1/4 train');
  const how = { launcher: 'local', ignoresEstimates: flags.ignoreEstimates === true, isCalm: true };
  const { id: runId } = await startChecked(context, recipe, how, reporter, signal);
  await trainWithProgress(context, runId, reporter, signal);
  reporter.step('2/4 ask base and tuned the tutorial’s question');
  const illustration = await illustrate(context, runId, reporter, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    throw new OSLER_ERR_INTERRUPTED(
      `Run "${runId}" is trained and kept. Go on with: npx osler eval --base ${recipe.base.ref} --tuned ${runId} --tasks mini,heldout --thinking-budget ${smokeBudgets.thinkingBudgetTokens} --answer-budget ${smokeBudgets.answerBudgetTokens}`,
    );
  });
  reporter.step('3/4 evaluate base against tuned on held-out questions');
  const { report, folder } = await evaluate(
    context,
    {
      baseRef: recipe.base.ref,
      tunedRef: runId,
      tasks: ['mini', 'heldout'],
      itemFiles: [],
      limit: flags.limit ?? null,
      out: null,
      attempts: 1,
      seed: 3407,
      temperature: 0.6,
      topP: 0.95,
      ...smokeBudgets,
      marginPp: null,
      templateFile: null,
      slots: 8,
    },
    reporter,
    signal,
  );
  const notices = report.notices.map((notice) => `  note: ${notice}\n`).join('');
  const lines = [
    illustrationText(illustration),
    `Verdict: ${verdictText(report)}`,
    `${notices}Report: ${path.join(folder, 'report.html')}`,
    `Certificate: ${await certificateLine(context.trainings.folder(runId))}`,
    `Run: ${runId} (${Math.round(performance.now() / 1000 - startedSeconds)} s so far)`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return { runId, baseRef: recipe.base.ref };
}

/** Serves base and tuned beside each other, until Ctrl-C. */
async function serveBoth(context: CliContext, runId: string, baseRef: string, port: number, reporter: Reporter): Promise<void> {
  reporter.step('4/4 serve base and tuned');
  const opened: OpenedModel[] = [];
  try {
    for (const [name, ref] of [
      ['base', baseRef],
      ['tuned', runId],
    ] as const) {
      opened.push(
        await openModel(
          context,
          { name, ref, templateFile: context.trainings.folder(runId).template, slots: 4, contextTokens: 2048, maxWaiting: 32 },
          reporter,
        ),
      );
    }
    await serveUntilStopped(context, opened, { host: '127.0.0.1', port }, reporter);
  } catch (error) {
    reporter.info(
      `the run and its report are kept; serve them later with: npx osler serve --model base=${baseRef} --model tuned=${runId} (${messageOf(error)})`,
    );
    throw error;
  } finally {
    await Promise.all(opened.map(({ model }) => model.engine.close()));
  }
}
