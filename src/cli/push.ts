import { Command } from 'commander';
import { findCardSection } from '../eval/report/card-section.ts';
import type { UploadProgress } from '../core/hub/commit-files.ts';
import { pushRun, type PushRunOutcome, readParts } from '../train/publish/push-run.ts';
import { weightsOf } from '../train/publish/run-artifacts.ts';
import { type CliContext, openContext } from './context.ts';
import { formatBytes } from './format-bytes.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter, type Progress, type Reporter } from './progress.ts';

interface PushFlags {
  readonly repo?: string;
  readonly public?: boolean;
  readonly what?: string;
  readonly revision: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `osler push RUN`: what a run made, to the Hub. */
export function pushCommand(): Command {
  return new Command('push')
    .description('push adapter, tokenizer, merged model, GGUF files and a model card of a run to the Hub; private unless you say otherwise')
    .argument('<run>', 'a run that is done')
    .option('--repo <owner/name>', 'repository; default: the recipe’s output.name in the account of HF_TOKEN')
    .option('--public', 'everybody may see it; never changes a repository that is there')
    .option('--what <parts>', 'of adapter,merged,gguf; default: all that the run made')
    .option('--revision <branch>', 'branch; made where it is missing', 'main')
    .option('--dry-run', 'write the card into the run’s folder and say what would be sent; send nothing')
    .option('--json', 'print the outcome as JSON')
    .addHelpText(
      'after',
      '\nThe token comes from HF_TOKEN. Files that are there already are not sent again, so a push that was broken off goes on.\n\nExamples:\n  osler push run-20261123t2305-1a2b3c4d --dry-run\n  osler push run-20261123t2305-1a2b3c4d --repo ann/Llama-Medical-COT --what adapter,gguf',
    )
    .action(async (id: string, flags: PushFlags) => runPush(id, flags));
}

async function runPush(id: string, flags: PushFlags): Promise<void> {
  const context = openContext();
  const reporter = createReporter(context.config);
  using signal = interruptSignal(() => reporter.info('stopping; nothing was changed on the Hub (Ctrl-C again ends at once)'));
  const outcome = await pushWithProgress(context, id, reporter, { ...flags, signal });
  process.stdout.write(flags.json === true ? `${JSON.stringify(outcome)}\n` : describePush(context, id, outcome));
}

/** Pushes a run with progress on stderr, and its evaluation in the card where there is one. */
export async function pushWithProgress(
  context: CliContext,
  id: string,
  reporter: Reporter,
  options: Omit<Partial<PushFlags>, 'json'> & { readonly signal?: AbortSignal },
): Promise<PushRunOutcome> {
  const run = context.trainings.get(id);
  const folder = context.trainings.folder(id);
  const parts = options.what === undefined ? undefined : readParts(options.what);
  const evaluation = await findCardSection(context.config.home, await weightsOf(context.models.listOfRun(id), folder));
  const bar = showUpload(reporter);
  try {
    const outcome = await pushRun(
      run,
      folder,
      { ...context, evaluation },
      {
        repo: options.repo,
        visibility: options.public === true ? 'public' : 'private',
        parts,
        revision: options.revision,
        isDryRun: options.dryRun ?? false,
        onProgress: bar.onProgress,
        signal: options.signal,
      },
    );
    for (const notice of outcome.notices) reporter.info(`note: ${notice}`);
    return outcome;
  } finally {
    bar.stop();
  }
}

/** What a push did, in words. */
export function describePush(context: CliContext, id: string, outcome: PushRunOutcome): string {
  const { sent, kept, deleted, replacedRun, commit, repo, revision, visibility, url } = outcome;
  const place = `${visibility === 'private' ? 'private' : 'public'} repository ${repo}${revision === 'main' ? '' : `, branch ${revision}`}`;
  const bytes = formatBytes(sent.reduce((sum, file) => sum + file.bytes, 0));
  const lines = [
    commit === null
      ? `Dry run: nothing was sent to the ${place}.`
      : sent.length + deleted.length === 0
        ? `The ${place} has it all already.`
        : `Pushed to the ${place}.`,
    ...sent.map((file) => `  ${commit === null ? 'would send' : 'sent'} ${file.path} (${formatBytes(file.bytes)})`),
    ...kept.map((file) => `  there already: ${file}`),
    ...deleted.map(
      (file) => `  ${commit === null ? 'would remove' : 'removed'} ${file}${replacedRun === null ? '' : ` (of ${replacedRun})`}`,
    ),
    commit === null ? `Card: ${context.trainings.folder(id).root}/card/README.md. ${bytes} in all.` : `Commit ${commit}: ${url}`,
  ];
  return `${lines.join('\n')}\n`;
}

function showUpload(reporter: Reporter): { onProgress: (progress: UploadProgress) => void; stop: () => void } {
  const bars = new Map<UploadProgress['phase'], Progress>();
  const titles = { hashing: 'reading', uploading: 'sending', committing: 'sending' } as const;
  return {
    onProgress: ({ phase, path, doneBytes, totalBytes }) => {
      const key = phase === 'committing' ? 'uploading' : phase;
      const bar = bars.get(key) ?? reporter.progress(`${titles[phase]} (MB)`);
      if (!bars.has(key)) for (const other of bars.values()) other.stop();
      bars.set(key, bar);
      bar.update(megabytes(doneBytes), megabytes(totalBytes), path ?? '');
    },
    stop: () => {
      for (const bar of bars.values()) bar.stop();
    },
  };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
