import { Command } from 'commander';
import { deleteRun } from '../train/delete-run.ts';
import { readEvents } from '../train/event-file.ts';
import { openContext } from './context.ts';
import { formatBytes } from './format-bytes.ts';

/** `osler runs`, `osler runs show ID` and `osler runs delete ID`. */
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
    .option('--json', 'print JSON')
    .action(async (id: string, _flags: unknown, self: Command) => showRun(id, self.optsWithGlobals<{ json?: boolean }>()));
  command
    .command('delete <id>')
    .description('delete a run with its rows, checkpoints and model; not one that is at work')
    .option('--promoted-too', 'also where its model is promoted')
    .option('--json', 'print JSON')
    .action(async (id: string, _flags: unknown, self: Command) => removeRun(id, self.optsWithGlobals<DeleteFlags>()));
  return command;
}

interface DeleteFlags {
  readonly promotedToo?: boolean;
  readonly json?: boolean;
}

async function removeRun(id: string, flags: DeleteFlags): Promise<void> {
  const { config, runs, models } = openContext();
  const bytes = await deleteRun({ home: config.home, runs, models }, id, { isPromotedToo: flags.promotedToo === true });
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ deleted: id, bytes })}\n`);
  else process.stdout.write(`Deleted ${id} (${formatBytes(bytes)}). Evaluations of it are kept: npx osler clean --what samples\n`);
}

async function showRun(id: string, flags: { json?: boolean }): Promise<void> {
  const { trainings, models } = openContext();
  const run = trainings.get(id);
  const folder = trainings.folder(id);
  const events = await readEvents(folder.events);
  const progress = events.filter((event) => event.type === 'progress');
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ run, model: models.find(id) ?? null, events })}\n`);
    return;
  }
  const last = progress.at(-1);
  const lines = [
    `Run       ${run.id}`,
    `State     ${run.state}${run.error === null ? '' : `: ${run.error}`}`,
    `Preset    ${run.recipe.name} on ${run.recipe.base.ref}, data ${run.recipe.data.ref}`,
    `Progress  ${last === undefined ? 'none yet' : `step ${last.step} of ${last.totalSteps}, loss ${progress[0]?.loss.toFixed(3) ?? ''} → ${last.loss.toFixed(3)}`}`,
    `Model     ${models.find(id)?.ggufFile ?? 'not exported'}`,
    `Folder    ${folder.root}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
