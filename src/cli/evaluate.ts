import { mkdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { execa } from 'execa';
import { OSLER_ERR_EVALUATION_BUSY, OSLER_ERR_INTERRUPTED, OSLER_ERR_USAGE } from '../core/errors.ts';
import { tryLockFolder } from '../core/folder-lock.ts';
import { checkRows, readTextFile } from '../core/jsonl.ts';
import { createDatedId } from '../core/ids.ts';
import { packageRoot } from '../core/package-root.ts';
import { TrainingRow } from '../core/schema/training-row.ts';
import { askItem } from '../eval/ask-item.ts';
import { evaluationsFolder, ProgressWriter } from '../eval/evaluation-progress.ts';
import { loadTasks } from '../eval/load-tasks.ts';
import type { TaskItems } from '../eval/pair-records.ts';
import { commitsOf, type EvaluationPlan, freezePlan, readPlan } from '../eval/plan.ts';
import { runEvaluation } from '../eval/run-evaluation.ts';
import { SampleLog } from '../eval/sample-log.ts';
import type { ItemChoice } from '../eval/tasks/choose-items.ts';
import { listTasks } from '../eval/tasks/find-manifest.ts';
import type { Report } from '../eval/schema/report.ts';
import type { ServedModel } from '../server/served-model.ts';
import { type CliContext, openContext } from './context.ts';
import { interruptSignal } from './interrupt.ts';
import { type OpenedModel, openModel } from './open-model.ts';
import { createReporter, type Reporter } from './progress.ts';
import { positiveNumber, wholeNumber } from './flag-values.ts';
import { writeReports } from './write-reports.ts';

/** Tokens kept for template and instruction beside the item's own text. */
const frameTokens = 512;
/** Room for a thought that has no budget. */
const freeThoughtTokens = 4096;
/** Fewest characters a token stands for in English text, so that an estimate of tokens is never too small. */
const charactersPerToken = 2.5;

interface EvaluateFlags {
  readonly base: string;
  readonly tuned: string;
  readonly tasks?: string;
  readonly items: string[];
  readonly limit?: number;
  readonly choose: ItemChoice;
  readonly dropBadItems?: boolean;
  readonly out?: string;
  readonly attempts: number;
  readonly seed: number;
  readonly temperature: number;
  readonly topP: number;
  readonly thinkingBudget: number | null;
  readonly answerBudget: number;
  readonly margin?: number;
  readonly template?: string;
  readonly slots: number;
  readonly json?: boolean;
}

/** What an evaluation is asked for, by the command or by the demo. */
export interface EvaluationRequest {
  readonly baseRef: string;
  readonly tunedRef: string;
  readonly tasks: readonly string[];
  readonly itemFiles: readonly string[];
  readonly limit: number | null;
  /** Which items under a limit; default: the first. */
  readonly choice?: ItemChoice | undefined;
  /** Leaves bad items out in place of an error. */
  readonly dropsBadItems?: boolean | undefined;
  readonly out: string | null;
  readonly attempts: number;
  readonly seed: number;
  readonly temperature: number;
  readonly topP: number;
  /** null: thoughts are never closed from outside. */
  readonly thinkingBudgetTokens: number | null;
  readonly answerBudgetTokens: number;
  readonly marginPp: number | null;
  readonly templateFile: string | null;
  readonly slots: number;
}

/** `osler eval`: base against tuned, to a verdict. */
export function evaluateCommand(): Command {
  const number = (text: string): number => {
    const value = Number(text);
    if (!Number.isFinite(value) || value < 0) throw new OSLER_ERR_USAGE(`"${text}" is not a number of 0 or more.`);
    return value;
  };
  return new Command('eval')
    .description('evaluate base against tuned on the same questions and report whether tuning helped')
    .requiredOption('--base <ref>', 'base model: path, registry id or Hub id')
    .requiredOption('--tuned <ref>', 'tuned model: path, registry id (run) or Hub id')
    .option('--tasks <names>', `benchmarks, separated by commas: ${listTasks().join(', ')}; or a benchmark's .json file`)
    .option(
      '--items <file>',
      'questions as JSON Lines, or TASK=FILE: rows of a benchmark; repeat for more',
      (word: string, words: string[]) => [...words, word],
      [],
    )
    .option('--limit <number>', 'so many items of each task', positiveNumber)
    .addOption(
      new Option('--choose <how>', "which items under --limit: the first, or drawn by --seed, with each subject's share")
        .choices(['first', 'random', 'subject'])
        .default('first'),
    )
    .option('--drop-bad-items', 'leave out items that cannot be used; plan and report say which')
    .option('--out <folder>', 'where samples and reports go; the same folder again resumes')
    .option('--attempts <number>', 'samples of each item and arm', positiveNumber, 1)
    .option('--seed <number>', 'root of all seeds', wholeNumber, 3407)
    .option('--temperature <number>', 'sampling temperature', number, 0.6)
    .option('--top-p <number>', 'nucleus sampling', number, 0.95)
    .option(
      '--thinking-budget <tokens>',
      'after so many tokens the thought is closed and the answer forced; none: never',
      budgetNumber,
      4096,
    )
    .option('--answer-budget <tokens>', 'tokens for the answer', positiveNumber, 1024)
    .option('--margin <pp>', 'call the arms equivalent within so many percentage points', number)
    .option('--template <file>', 'Jinja chat template of both arms; default: the tuned model’s')
    .option('--slots <number>', 'attempts at once', positiveNumber, 8)
    .option('--json', 'print the verdict as JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  npm run eval -- --base smollm2-135m-instruct --tuned run-20261123t2305-1a2b3c4d --tasks mini,heldout\n  npm run eval -- --base base.gguf --tuned tuned.gguf --items questions.jsonl --limit 100 --out results',
    )
    .action(async (flags: EvaluateFlags) => {
      const context = openContext();
      const reporter = createReporter(context.config);
      const request: EvaluationRequest = {
        baseRef: flags.base,
        tunedRef: flags.tuned,
        tasks: flags.tasks?.split(',').filter((name) => name !== '') ?? [],
        itemFiles: flags.items,
        limit: flags.limit ?? null,
        choice: flags.choose,
        dropsBadItems: flags.dropBadItems,
        out: flags.out ?? null,
        attempts: flags.attempts,
        seed: flags.seed,
        temperature: flags.temperature,
        topP: flags.topP,
        thinkingBudgetTokens: flags.thinkingBudget,
        answerBudgetTokens: flags.answerBudget,
        marginPp: flags.margin ?? null,
        templateFile: flags.template ?? null,
        slots: flags.slots,
      };
      using signal = interruptSignal(() => reporter.info('stopping; what is done is kept'));
      const { report, folder } = await evaluate(context, request, reporter, signal);
      if (flags.json === true) process.stdout.write(`${JSON.stringify({ verdict: report.verdict, folder })}\n`);
      else process.stdout.write(`${verdictText(report)}\nReport: ${path.join(folder, 'report.html')}\n`);
    });
}

/** The verdict as it is printed. */
export function verdictText(report: Report): string {
  return [report.verdict.sentence, report.verdict.secondarySentence].filter((sentence) => sentence !== null).join('\n');
}

/** Runs or resumes an evaluation and writes its reports. On interruption what is done stays, and the error says how to go on. */
export async function evaluate(
  context: CliContext,
  request: EvaluationRequest,
  reporter: Reporter,
  signal: AbortSignal,
): Promise<{ report: Report; folder: string }> {
  const heldOutFile = heldOutFileOf(context, request.tunedRef);
  const frozen = request.out === null ? undefined : await readPlan(path.resolve(request.out));
  const { config } = context;
  const tasks = await loadTasks({ ...request, heldOutFile, config, commits: commitsOf(frozen?.tasks ?? []), signal });
  if (tasks.length === 0)
    throw new OSLER_ERR_USAGE(
      'There is nothing to evaluate on. Name benchmarks with --tasks (such as mini, heldout) or a file with --items.',
    );
  const opened: OpenedModel[] = [];
  const contextTokens = estimateContext(tasks, request);
  const open = async (
    name: 'base' | 'tuned',
    ref: string,
    template: { templateFile: string | null; templateSource?: string },
  ): Promise<OpenedModel> => {
    const entry = await openModel(
      context,
      { name, ref, ...template, slots: request.slots, contextTokens, maxWaiting: 1_000_000 },
      reporter,
      signal,
    );
    opened.push(entry);
    await requireContext(entry, contextTokens);
    return entry;
  };
  try {
    const tuned = await open('tuned', request.tunedRef, { templateFile: request.templateFile });
    // The tuned run's template for both arms, so that only the weights differ.
    const base = await open('base', request.baseRef, { templateFile: null, templateSource: tuned.model.template.source });
    const arms = { base: base.model, tuned: tuned.model };
    const now = context.clock.now();
    const evaluationId = createDatedId('eval', now);
    const folder = path.resolve(request.out ?? path.join(evaluationsFolder(context.config.home), evaluationId));
    await mkdir(folder, { recursive: true });
    const plan = await freezePlan(folder, {
      schemaVersion: 1,
      evaluationId,
      createdAt: now.toISOString(),
      settings: {
        primaryMetric: tasks.some((task) => task.measures.includes('generation')) ? 'accuracy' : 'answer-likelihood',
        equivalenceMarginPp: request.marginPp,
        equivalenceMarginNats: null,
        attempts: request.attempts,
        seed: request.seed,
        bootstrapDraws: 10_000,
        temperature: request.temperature,
        topP: request.topP,
        thinkingBudgetTokens: request.thinkingBudgetTokens,
        answerBudgetTokens: request.answerBudgetTokens,
        systemPrompt: null,
        template: tuned.model.template.digest,
      },
      arms: { base: armOf(base), tuned: armOf(tuned) },
      tasks: tasks.map((task) => ({ ...task, measures: [...task.measures], items: [...task.items] })),
      trainingQuestions: await trainingQuestionsOf(context, request.tunedRef),
    } satisfies EvaluationPlan);
    await runAndKeep(plan, folder, { arms, context, reporter, signal, resumeCommand: commandOf(request, folder) });
    const report = await writeReports(folder, { hardware: await describeHardware(opened), codeRevision: await codeRevision() });
    return { report, folder };
  } finally {
    await Promise.all(opened.map(({ model }) => model.engine.close()));
  }
}

async function runAndKeep(
  plan: EvaluationPlan,
  folder: string,
  deps: {
    arms: Record<'base' | 'tuned', ServedModel>;
    context: CliContext;
    reporter: Reporter;
    signal: AbortSignal;
    resumeCommand: string;
  },
): Promise<void> {
  const { arms, context, reporter, signal, resumeCommand } = deps;
  const unlock = await lockEvaluation(folder);
  const log = await SampleLog.open(path.join(folder, 'samples.jsonl'));
  const progress = new ProgressWriter(folder);
  if (log.records.length > 0) reporter.info(`resuming: ${log.records.length} records are here already`);
  const bar = reporter.progress('evaluating');
  try {
    await runEvaluation(plan, {
      engines: { base: arms.base.engine, tuned: arms.tuned.engine },
      templates: { base: arms.base.template, tuned: arms.tuned.template },
      clock: context.clock,
      log,
      onProgress: (done, total, record) => {
        bar.update(done, total, record === null ? '' : `${record.arm}, ${record.task}`);
        progress.update(done, total);
      },
      signal,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new OSLER_ERR_INTERRUPTED(`Stopped with ${log.records.length} records kept. Go on with: ${resumeCommand}`);
  } finally {
    bar.stop();
    log.close();
    await progress.end();
    unlock();
  }
}

/** Two processes at one log would both append what it lacks. Tried twice, for a server that looks whether somebody works here holds the lock for a moment. */
async function lockEvaluation(folder: string): Promise<() => void> {
  const unlock = tryLockFolder(folder) ?? (await sleep(200).then(() => tryLockFolder(folder)));
  if (unlock === undefined) throw new OSLER_ERR_EVALUATION_BUSY(folder);
  return unlock;
}

function armOf({ model, fileType }: OpenedModel): EvaluationPlan['arms']['base'] {
  return {
    name: model.name,
    ref: model.ref,
    weightsSha256: model.weightsDigest,
    templateSha256: model.template.digest,
    adapterSha256: null,
    ggufFileType: fileType,
  };
}

/** Tokens that the longest item needs, with its thought and answer or with its reference texts. */
function estimateContext(tasks: readonly TaskItems[], request: EvaluationRequest): number {
  const needs = tasks.flatMap(({ items }) =>
    items.map((item) => {
      const prompt = askItem(item).length / charactersPerToken;
      const reference = ((item.reasoning?.length ?? 0) + (item.answer_text?.length ?? 0)) / charactersPerToken;
      return prompt + Math.max(reference, (request.thinkingBudgetTokens ?? freeThoughtTokens) + request.answerBudgetTokens);
    }),
  );
  return Math.ceil(Math.max(...needs) + frameTokens);
}

/** A context cut short would turn long thoughts into truncated ones under a budget that was never in force. */
async function requireContext(entry: OpenedModel, contextTokens: number): Promise<void> {
  const info = await entry.model.engine.ready();
  if (info.contextTokens >= contextTokens) return;
  throw new OSLER_ERR_USAGE(
    `Model "${entry.model.ref}" holds ${info.contextTokens} tokens, and the longest item needs about ${contextTokens} with its thought and answer. Lower --thinking-budget or --answer-budget, or leave that item out.`,
  );
}

/** The command that goes on with an evaluation. */
function commandOf(request: EvaluationRequest, folder: string): string {
  const words = [
    `--base ${quoted(request.baseRef)}`,
    `--tuned ${quoted(request.tunedRef)}`,
    ...(request.tasks.length > 0 ? [`--tasks ${request.tasks.join(',')}`] : []),
    ...request.itemFiles.map((file) => `--items ${file}`),
    ...(request.limit === null ? [] : [`--limit ${request.limit} --choose ${request.choice ?? 'first'}`]),
    ...(request.dropsBadItems === true ? ['--drop-bad-items'] : []),
    ...(request.marginPp === null ? [] : [`--margin ${request.marginPp}`]),
    ...(request.templateFile === null ? [] : [`--template ${request.templateFile}`]),
    `--attempts ${request.attempts} --seed ${request.seed} --temperature ${request.temperature} --top-p ${request.topP}`,
    `--thinking-budget ${request.thinkingBudgetTokens ?? 'none'} --answer-budget ${request.answerBudgetTokens} --slots ${request.slots}`,
    `--out ${folder}`,
  ];
  return `npx osler eval ${words.join(' ')}`;
}

/** The address of an upstream may hold signs that a shell would read. */
function quoted(ref: string): string {
  return /^[\w./:@~-]+$/.test(ref) ? ref : `'${ref}'`;
}

function budgetNumber(text: string): number | null {
  return text === 'none' ? null : wholeNumber(text);
}

function heldOutFileOf(context: CliContext, tunedRef: string): string | null {
  const runId = context.models.find(tunedRef)?.runId ?? null;
  return runId === null ? null : context.trainings.folder(runId).heldOutRows;
}

async function trainingQuestionsOf(context: CliContext, tunedRef: string): Promise<string[] | null> {
  const runId = context.models.find(tunedRef)?.runId ?? null;
  if (runId === null) return null;
  const file = context.trainings.folder(runId).trainRows;
  return checkRows(file, await readTextFile(file), TrainingRow).map(({ value }) => value.question);
}

async function describeHardware(opened: readonly OpenedModel[]): Promise<Report['hardware']> {
  const device = opened[0] === undefined ? 'unknown' : (await opened[0].model.engine.ready()).device;
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memoryGib: Math.round(os.totalmem() / 2 ** 30),
    platform: `${os.platform()} ${os.arch()}`,
    node: process.versions.node,
    engine: 'node-llama-cpp 3.22.1',
    device,
  };
}

async function codeRevision(): Promise<string | null> {
  const result = await execa('git', ['-C', packageRoot, 'rev-parse', 'HEAD'], { reject: false });
  return result.exitCode === 0 ? result.stdout.trim() : null;
}
