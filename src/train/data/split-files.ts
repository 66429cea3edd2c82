import path from 'node:path';
import { isDataFile } from '../../core/rows/data-format.ts';

/** What file and folder names of a split begin or end with, as `datasets` looks for them. */
const keywords: Readonly<Record<string, readonly string[]>> = {
  train: ['train', 'training'],
  validation: ['validation', 'valid', 'dev', 'val'],
  test: ['test', 'testing', 'eval', 'evaluation'],
};
/** Files of data that hold no rows. */
const ignored = new Set(['config.json', 'dataset_info.json', 'dataset_infos.json', 'dataset_dict.json']);

/**
 * Files of each split where nothing says which they are: `data/SPLIT-00000-of-00002.parquet`, else folders or file names with
 * the split's name in them, else all files are of `train`. The rules and their order are those of `datasets` (data_files.py).
 */
export function filesBySplit(paths: readonly string[]): Map<string, string[]> {
  const files = paths.filter((file) => isDataFile(file) && !ignored.has(path.posix.basename(file)) && !isHidden(file)).toSorted();
  const sharded = grouped(files, (file) => /^data\/(\w+(?:\.\w+)*)-\d{5}-of-\d{5}[^/]*$/.exec(file)?.[1]);
  if (sharded.size > 0) return sharded;
  const byFolder = grouped(files, (file) => splitNamedIn(file.split('/').slice(0, -1), /^KEYWORD(?:[-._ 0-9].*)?$|[-._ 0-9]KEYWORD(?:[-._ 0-9].*)?$/));
  if (byFolder.size > 0) return byFolder;
  const byName = grouped(files, (file) => splitNamedIn([path.posix.basename(file)], /^KEYWORD[-._ 0-9]|[-._ 0-9]KEYWORD[-._ 0-9]/));
  if (byName.size > 0) return byName;
  return files.length === 0 ? new Map() : new Map([['train', files]]);
}

/** Files of a split of the branch refs/convert/parquet, which the Hub fills by itself: `CONFIG/SPLIT/0000.parquet`. */
export function convertedFiles(paths: readonly string[], config: string | null, split: string): { files: string[]; isPartial: boolean; config: string } {
  const parts = paths.filter((file) => file.endsWith('.parquet')).map((file) => ({ file, segments: file.split('/') }));
  const configs = [...new Set(parts.map(({ segments }) => segments[0] ?? ''))].toSorted();
  const chosen = config ?? (configs.includes('default') ? 'default' : (configs[0] ?? ''));
  const of = (folder: string): string[] =>
    parts.filter(({ segments }) => segments.length === 3 && segments[0] === chosen && segments[1] === folder).map(({ file }) => file).toSorted();
  const whole = of(split);
  return whole.length > 0 ? { files: whole, isPartial: false, config: chosen } : { files: of(`partial-${split}`), isPartial: true, config: chosen };
}

function grouped(files: readonly string[], splitOf: (file: string) => string | undefined): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const file of files) {
    const split = splitOf(file);
    if (split !== undefined) groups.set(split, [...(groups.get(split) ?? []), file]);
  }
  return groups;
}

function splitNamedIn(names: readonly string[], form: RegExp): string | undefined {
  return Object.entries(keywords).find(([, words]) =>
    words.some((word) => names.some((name) => new RegExp(form.source.replaceAll('KEYWORD', word)).test(name))),
  )?.[0];
}

function isHidden(file: string): boolean {
  return file.split('/').some((segment) => segment.startsWith('.') || segment.startsWith('__'));
}
