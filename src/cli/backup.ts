import path from 'node:path';
import { Command } from 'commander';
import { createBackup } from '../core/backup/create-backup.ts';
import { restoreBackup } from '../core/backup/restore-backup.ts';
import { verifyBackup } from '../core/backup/verify-backup.ts';
import { systemClock } from '../core/clock.ts';
import { type Config, readConfig } from '../core/config.ts';
import { createDatedId } from '../core/ids.ts';
import { packageVersion } from '../core/package-version.ts';
import { isEnded } from '../core/schema/run.ts';
import { openContext } from './context.ts';
import { formatBytes } from './format-bytes.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter } from './progress.ts';

interface BackupFlags {
  readonly to?: string;
  readonly withModels: boolean;
  readonly json?: boolean;
}

/** `osler backup`, `osler backup verify FOLDER` and `osler backup restore FOLDER`. */
export function backupCommand(): Command {
  const command = new Command('backup')
    .description('copy store, runs and evaluations into a folder with checksums, also while the server runs')
    .option('--to <folder>', 'folder to make; default: a new one in OSLER_HOME/backups')
    .option('--with-models', 'weights too: adapters, merged models, GGUF files and models/', false)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExamples:\n  osler backup --to /mnt/backups/osler-monday\n  osler backup verify /mnt/backups/osler-monday\n  OSLER_HOME=/new/home osler backup restore /mnt/backups/osler-monday',
    )
    .action(async (flags: BackupFlags) => backUp(flags));
  command
    .command('verify <folder>')
    .description('read a whole backup and compare it with its checksums')
    .option('--json', 'print JSON')
    .action(async (folder: string, _flags: unknown, self: Command) => verify(folder, self.optsWithGlobals<{ json?: boolean }>()));
  command
    .command('restore <folder>')
    .description('verify a backup and copy it into an empty OSLER_HOME; nothing is overwritten')
    .option('--json', 'print JSON')
    .action(async (folder: string, _flags: unknown, self: Command) => restore(folder, self.optsWithGlobals<{ json?: boolean }>()));
  return command;
}

async function backUp(flags: BackupFlags): Promise<void> {
  const config = readConfig();
  const now = systemClock.now();
  const target = path.resolve(flags.to ?? path.join(config.home, 'backups', createDatedId('backup', now)));
  const oslerVersion = packageVersion();
  const manifest = await withBar(
    config,
    'copying',
    async (options) => await createBackup({ home: config.home, target, hasModels: flags.withModels, now, oslerVersion, ...options }),
  );
  print(flags, { folder: target, files: manifest.files.length, bytes: bytesOf(manifest), hasModels: manifest.hasModels }, (about) => [
    `Backup: ${target} (${about.files} files, ${formatBytes(about.bytes)}${about.hasModels ? '' : ', without weights'})`,
    `Look at it:   npx osler backup verify ${target}`,
    `Put it back:  OSLER_HOME=NEW npx osler backup restore ${target}`,
  ]);
}

async function verify(folder: string, flags: { json?: boolean }): Promise<void> {
  const manifest = await withBar(readConfig(), 'reading', async (options) => await verifyBackup(path.resolve(folder), options));
  const about = { folder: path.resolve(folder), createdAt: manifest.createdAt, files: manifest.files.length, bytes: bytesOf(manifest) };
  print(flags, about, () => [`Sound: ${about.files} files, ${formatBytes(about.bytes)}, taken ${about.createdAt}`]);
}

async function restore(folder: string, flags: { json?: boolean }): Promise<void> {
  const config = readConfig();
  const manifest = await withBar(config, 'copying', async (options) => await restoreBackup({ folder, home: config.home, ...options }));
  const { stopped, withoutWeights } = settle(config, manifest.home);
  print(flags, { home: config.home, files: manifest.files.length, stoppedRuns: stopped, modelsWithoutWeights: withoutWeights }, () => [
    `Restored to ${config.home}: ${manifest.files.length} files of ${manifest.createdAt}`,
    ...(stopped.length > 0 ? [`Stopped, as they were at work then: ${stopped.join(', ')}. Go on with: npx osler train --resume RUN`] : []),
    ...(withoutWeights.length > 0
      ? [`Registered without their weights, which the backup does not hold: ${withoutWeights.join(', ')}`]
      : []),
  ]);
}

/** Makes a restored store true of its new place: registered paths move with the home, and no run is at work. */
function settle(config: Config, formerHome: string): { stopped: string[]; withoutWeights: string[] } {
  const { runs, models } = openContext(config);
  const open = runs.list().filter((run) => !isEnded(run.state));
  for (const run of open) {
    runs.setTrainer(run.id, null);
    runs.setState(run.id, 'stopped', 'It was at work when the backup was taken.');
  }
  models.moveFiles(formerHome, config.home);
  return { stopped: open.map((run) => run.id), withoutWeights: models.listWithoutFiles().map((model) => model.id) };
}

/** Copies or reads with a bar of megabytes, until Ctrl-C. */
async function withBar<T>(
  config: Config,
  title: string,
  work: (options: { onBytes: (done: number, total: number) => void; signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const reporter = createReporter(config);
  using signal = interruptSignal(() => reporter.info('stopping; nothing half-done is left'));
  const bar = reporter.progress(title);
  const onBytes = (done: number, total: number): void => bar.update(Math.ceil(done / 1e6), Math.ceil(total / 1e6), 'MB');
  try {
    return await work({ onBytes, signal });
  } finally {
    bar.stop();
  }
}

function print<T>(flags: { json?: boolean }, about: T, lines: (about: T) => string[]): void {
  process.stdout.write(`${flags.json === true ? JSON.stringify(about) : lines(about).join('\n')}\n`);
}

function bytesOf(manifest: { files: readonly { bytes: number }[] }): number {
  return manifest.files.reduce((sum, file) => sum + file.bytes, 0);
}
