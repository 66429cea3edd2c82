import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { OSLER_ERR_RUN_STATE } from '../core/errors.ts';
import { tryLockFolder } from '../core/folder-lock.ts';
import { GgufType } from '../core/schema/gguf-type.ts';
import type { Run } from '../core/schema/run.ts';
import { exportRun } from '../train/export/export-run.ts';
import type { RunExport } from '../train/export/run-export.ts';
import type { RunFolder } from '../train/run-folder.ts';
import { openContext } from './context.ts';
import { formatBytes } from './format-bytes.ts';
import { interruptSignal } from './interrupt.ts';
import { createReporter } from './progress.ts';

interface ExportFlags {
  readonly type: readonly GgufType[];
  readonly json?: boolean;
}

/** `osler export`: further files out of a run that is done, or those that got lost. */
export function exportCommand(): Command {
  return new Command('export')
    .description('make GGUF files of further types out of a run that is done; what is there and whole is not made again')
    .argument('<run>', 'id of the run')
    .option(
      '--type <type>',
      `type of GGUF to make beside those of the recipe, once or more: ${GgufType.options.join(', ')}`,
      (word: string, words: readonly GgufType[]) => [...words, parseType(word)],
      [],
    )
    .option('--json', 'print the list of files as JSON')
    .addHelpText('after', '\nExample:\n  osler export run-20261123t2305-1a2b3c4d --type q4_k_m --type f16')
    .action(async (id: string, flags: ExportFlags) => runExport(id, flags));
}

function parseType(word: string): GgufType {
  const type = GgufType.safeParse(word.toLowerCase());
  if (!type.success) throw new InvalidArgumentError(`Choose from: ${GgufType.options.join(', ')}.`);
  return type.data;
}

async function runExport(id: string, flags: ExportFlags): Promise<void> {
  const { config, trainings } = openContext();
  const run = trainings.get(id);
  if (run.state !== 'done')
    throw new OSLER_ERR_RUN_STATE(id, run.state, `only a run that is done can be exported. Finish it with: npx osler train --resume ${id}`);
  const folder = trainings.folder(id);
  const reporter = createReporter(config);
  using signal = interruptSignal(() => reporter.info('stopping; files that are complete are kept (Ctrl-C again ends at once)'));
  const made = await withLock(run, folder, async () =>
    exportRun(run, folder, { config }, { types: flags.type, onStep: (step) => reporter.step(step), signal }),
  );
  process.stdout.write(flags.json === true ? `${JSON.stringify(made)}\n` : describe(made, folder));
}

async function withLock<T>(run: Run, folder: RunFolder, work: () => Promise<T>): Promise<T> {
  const unlock = tryLockFolder(folder.root);
  if (unlock === undefined) throw new OSLER_ERR_RUN_STATE(run.id, run.state, 'another osler process works on it. Wait for its end.');
  try {
    return await work();
  } finally {
    unlock();
  }
}

function describe(made: RunExport, folder: RunFolder): string {
  const files = [...made.ggufs, ...(made.adapterGguf === null ? [] : [made.adapterGguf])];
  const lines = [
    ...files.map(({ file, bytes, sha256 }) => `${file}  ${formatBytes(bytes)}  sha256 ${sha256}`),
    ...made.notices.map((notice) => `Note: ${notice}`),
    `Serve one: npx osler serve --model tuned=${path.join(folder.root, made.ggufs[0]?.file ?? '')}`,
    ...(made.modelfile === null ? [] : [`Ollama:    cd ${folder.root} && ollama create NAME -f ${made.modelfile}`]),
  ];
  return `${lines.join('\n')}\n`;
}
