import { Command } from 'commander';
import type { Run } from '../core/schema/run.ts';
import type { TrainEvent } from '../core/schema/train-event.ts';
import { deleteRun } from '../train/delete-run.ts';
import { readEvents } from '../train/event-file.ts';
import { NoiseLog } from '../train/noise-log.ts';
import { readRemoteCopy } from '../train/remote-copy.ts';
import { placeInQueue } from '../train/run-queue.ts';
import { certificateLine } from './certificate-line.ts';
import { openContext } from './context.ts';
import { followRun } from './follow-run.ts';
import { formatBytes } from './format-bytes.ts';
import { endRun } from './end-run.ts';
import { createReporter } from './progress.ts';

/** `osler runs`, and what can be done with one: show, stop, cancel, delete. */
export function runsCommand(): Command {
  const command = new Command('runs')
    .description('list trainings, newest first')
    .option('--json', 'print JSON')
    .action((flags: { json?: boolean }) => {
      const runs = openContext().trainings.list();
      if (flags.json === true) process.stdout.write(`${JSON.stringify(runs)}\n`);
      else if (runs.length === 0) process.stdout.write('No runs yet. Start one: npx osler train --preset smoke\n');
      else
        for (const run of runs)
          process.stdout.write(`${run.id}  ${run.state.padEnd(10)}  ${run.recipe.name}  ${run.recipe.base.ref}  ${run.createdAt}\n`);
    });
  command
    .command('show <id>')
    .description('a run in detail: state, recipe, losses, files')
    .option('--follow', 'show its progress until it ends; Ctrl-C ends only the following')
    .option('--json', 'print JSON')
    .action(async (id: string, _flags: unknown, self: Command) => showRun(id, self.optsWithGlobals<ShowFlags>()));
  command
    .command('stop <id>')
    .description('save a checkpoint and stop; go on with: osler train --resume ID')
    .option('--json', 'print JSON')
    .action(async (id: string, _flags: unknown, self: Command) => endRun('stop', id, self.optsWithGlobals<{ json?: boolean }>()));
  command
    .command('cancel <id>')
    .description('end a run for good; its files stay')
    .option('--json', 'print JSON')
    .action(async (id: string, _flags: unknown, self: Command) => endRun('cancel', id, self.optsWithGlobals<{ json?: boolean }>()));
  command
    .command('delete <id>')
    .description('delete a run with its rows, checkpoints and model; not one that is at work')
    .option('--promoted-too', 'also where its model is promoted')
    .option('--json', 'print JSON')
    .action(async (id: string, _flags: unknown, self: Command) => removeRun(id, self.optsWithGlobals<DeleteFlags>()));
  return command;
}

interface ShowFlags {
  readonly follow?: boolean;
  readonly json?: boolean;
}

interface DeleteFlags {
  readonly promotedToo?: boolean;
  readonly json?: boolean;
}

async function removeRun(id: string, flags: DeleteFlags): Promise<void> {
  const { config, runs, models, launcher } = openContext();
  const reporter = createReporter(config);
  const onNotice = (message: string): void => reporter.info(`note: ${message}`);
  const bytes = await deleteRun({ home: config.home, runs, models, launcher, onNotice }, id, { isPromotedToo: flags.promotedToo === true });
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ deleted: id, bytes })}\n`);
  else process.stdout.write(`Deleted ${id} (${formatBytes(bytes)}). Evaluations of it are kept: npx osler clean --what samples\n`);
}

async function showRun(id: string, flags: ShowFlags): Promise<void> {
  const context = openContext();
  const { trainings, models } = context;
  if (flags.follow === true) await followRun(context, id);
  const run = trainings.get(id);
  const folder = trainings.folder(id);
  const noise = new NoiseLog();
  const events = await readEvents(folder.events, { notices: folder.notices, onNoise: noise.add });
  const model = models.find(id) ?? null;
  const copy = await readRemoteCopy(folder);
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ run, model, events })}\n`);
    return;
  }
  const lines = [
    `Run       ${run.id}`,
    `State     ${stateText(run)}`,
    `Preset    ${run.recipe.name} on ${run.recipe.base.ref}, data ${run.recipe.data.ref}`,
    `Launcher  ${run.launcher}`,
    `Progress  ${progressText(events)}`,
    `Model     ${model?.ggufFile ?? 'not exported'}`,
    `Certified ${await certificateLine(folder)}`,
    `Folder    ${folder.root}`,
    ...(copy === undefined ? [] : [`Copy      on "${copy.launcher}"${copy.isFetched ? '; all of it is here' : ''}`]),
    ...(noise.describe() === '' ? [] : [`Noise     ${noise.describe()}`]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function stateText(run: Run): string {
  const place = placeInQueue(run);
  const note = run.error ?? place;
  return `${run.state}${note === '' ? '' : `: ${note}`}`;
}

function progressText(events: readonly TrainEvent[]): string {
  const progress = events.filter((event) => event.type === 'progress');
  const [first, last] = [progress[0], progress.at(-1)];
  if (first === undefined || last === undefined) return 'none yet';
  return `step ${last.step} of ${last.totalSteps}, loss ${first.loss.toFixed(3)} → ${last.loss.toFixed(3)}`;
}
