import { Command, InvalidArgumentError, Option } from 'commander';
import { messageOf, OSLER_ERR_USAGE } from '../core/errors.ts';
import { type Removable, RemovableKind } from '../core/removable.ts';
import { openContext } from './context.ts';
import { formatBytes } from './format-bytes.ts';
import { createReporter } from './progress.ts';
import { listRemovable } from './retention.ts';

const hourMs = 3600 * 1000;
const unitHours: Readonly<Record<string, number>> = { h: 1, d: 24 };

interface CleanFlags {
  readonly olderThan: number;
  readonly what: RemovableKind[];
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `osler clean`: what is old, by kind, with its size. */
export function cleanCommand(): Command {
  return new Command('clean')
    .description('remove what is old and not needed: checkpoints and caches, or also runs and the texts of evaluations')
    .addOption(new Option('--older-than <age>', 'not used for so long: 12h, 30d').argParser(age).default(age('30d'), '30d'))
    .addOption(
      new Option('--what <kinds>', `separated by commas: ${RemovableKind.options.join(', ')}`)
        .argParser(kinds)
        .default(kinds('checkpoints,caches'), 'checkpoints,caches'),
    )
    .option('--dry-run', 'show what would be removed, and remove nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
checkpoints  of runs that are done or cancelled; a stopped or failed run needs them to go on. With them what another
             machine still holds of a run that is done, once all of it was fetched
samples      questions, thoughts and answers of evaluations in OSLER_HOME; the figures stay
runs         runs that ended, with their rows and models, unless the model is promoted
caches       Hub downloads, GGUF conversions and unpacked sources; they are fetched again when needed
Conversations need no cleaning: none are stored.

Examples:
  osler clean --dry-run
  osler clean --what samples,runs --older-than 90d`,
    )
    .action(async (flags: CleanFlags) => clean(flags));
}

async function clean(flags: CleanFlags): Promise<void> {
  const context = openContext();
  const isDryRun = flags.dryRun === true;
  const reporter = createReporter(context.config);
  const before = new Date(context.clock.now().getTime() - flags.olderThan);
  const items = await listRemovable(context, flags.what, before, (message) => reporter.info(`note: ${message}`));
  const kept: { item: Removable; reason: string }[] = [];
  const removed: Removable[] = [];
  for (const item of items) {
    const failure = isDryRun ? null : await reasonAgainst(item);
    if (failure === null) removed.push(item);
    else kept.push({ item, reason: failure });
    if (flags.json !== true) process.stdout.write(`${lineOf(item)}${failure === null ? '' : `  kept: ${failure}`}\n`);
  }
  if (flags.json === true) process.stdout.write(`${JSON.stringify(summaryOf(flags, removed, kept))}\n`);
  else process.stdout.write(`${isDryRun ? 'Would remove' : 'Removed'}: ${totalsOf(flags.what, removed)}; conversations: none are stored\n`);
  if (kept.length > 0) process.exitCode = 1;
}

/** Why it could not be removed; null: it was. */
async function reasonAgainst(item: Removable): Promise<string | null> {
  try {
    await item.remove();
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

function lineOf({ kind, name, bytes, lastUsed }: Removable): string {
  return `${kind.padEnd(11)}  ${formatBytes(bytes).padStart(9)}  ${lastUsed.toISOString().slice(0, 10)}  ${name}`;
}

function totalsOf(what: readonly RemovableKind[], removed: readonly Removable[]): string {
  return what
    .map((kind) => {
      const ofKind = removed.filter((item) => item.kind === kind);
      return `${kind}: ${ofKind.length} (${formatBytes(ofKind.reduce((sum, item) => sum + item.bytes, 0))})`;
    })
    .join(', ');
}

function summaryOf(flags: CleanFlags, removed: readonly Removable[], kept: readonly { item: Removable; reason: string }[]): object {
  const about = ({ kind, name, bytes, lastUsed }: Removable): object => ({ kind, name, bytes, lastUsed });
  return {
    isDryRun: flags.dryRun === true,
    [flags.dryRun === true ? 'wouldRemove' : 'removed']: removed.map(about),
    kept: kept.map(({ item, reason }) => ({ ...about(item), reason })),
    conversations: 'none are stored',
  };
}

/** Milliseconds of 12h or 30d. */
function age(text: string): number {
  const [, count, unit = ''] = /^(\d{1,5})([hd])$/.exec(text) ?? [];
  const hours = Number(count) * (unitHours[unit] ?? Number.NaN);
  if (!(hours >= 1)) throw new InvalidArgumentError('an age such as 12h or 30d is wanted, and 1h or more.');
  return hours * hourMs;
}

function kinds(text: string): RemovableKind[] {
  const words = text.split(',').filter((word) => word !== '');
  return [...new Set(words)].map((word) => {
    const parsed = RemovableKind.safeParse(word);
    if (!parsed.success) throw new OSLER_ERR_USAGE(`--what "${word}" is none of: ${RemovableKind.options.join(', ')}.`);
    return parsed.data;
  });
}
