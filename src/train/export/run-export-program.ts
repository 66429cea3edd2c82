import { stat } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { OSLER_ERR_EXPORT_FAILED } from '../../core/errors.ts';
import { diskFullOf, freeDiskBytes } from '../../core/free-disk.ts';

export interface ExportProgram {
  readonly program: string;
  readonly words: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** The file that it is asked to write. */
  readonly writes: string;
  /** The file that users know, for errors. */
  readonly target: string;
  /** About how much it writes, for the error of a full disk. */
  readonly expectedBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const shownLines = 3;
const fullDiskBytes = 1 << 20;
/** Progress bars of tqdm, which overwrite themselves. */
const progressLine = /^(?:Writing|Converting)\b.*\d+%\|/;

/** Runs a converter to its end. Throws OSLER_ERR_EXPORT_FAILED with its last lines, or OSLER_ERR_DISK_FULL. */
export async function runExportProgram(options: ExportProgram): Promise<string> {
  const { program, words, writes, target, signal } = options;
  const result = await execa(program, words, {
    reject: false,
    all: true,
    stdin: 'ignore',
    env: options.env ?? {},
    ...(signal && { cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  const said = result.all ?? '';
  const isThere = await stat(writes).then(
    (entry) => entry.size > 0,
    () => false,
  );
  if (result.exitCode === 0 && isThere) return said;
  if (/No space left on device|ENOSPC|Disk quota exceeded/.test(said) || (await hasNoSpaceLeft(path.dirname(writes)))) {
    const full = Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
    throw await diskFullOf(full, path.dirname(writes), options.expectedBytes ?? 0);
  }
  throw new OSLER_ERR_EXPORT_FAILED(target, reasonOf(result, said));
}

/** Some programs say no more than that writing failed; what they wrote is still there. */
async function hasNoSpaceLeft(folder: string): Promise<boolean> {
  return (await freeDiskBytes(folder)) < fullDiskBytes;
}

function reasonOf(result: { readonly signal?: string | undefined; readonly message?: string | undefined }, said: string): string {
  if (result.signal === 'SIGKILL')
    return 'the converter was killed, as the system does where memory runs out. Close other programs and run the same command again: what is complete is kept.';
  const lines = said
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !progressLine.test(line));
  return lines.slice(-shownLines).join(' / ') || (result.message ?? 'the converter wrote nothing');
}
