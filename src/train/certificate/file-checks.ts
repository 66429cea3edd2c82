import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { sha256OfFile } from '../../core/digest.ts';
import type { CertificateCheck, CertifiedFile } from '../../core/schema/certificate.ts';
import { readEvents } from '../event-file.ts';
import type { RunExport } from '../export/run-export.ts';
import type { RunFolder } from '../run-folder.ts';
import { checkOf, someOf } from './check.ts';

/** What is certified of a run, with its checksums as they are now. */
export async function listCertifiedFiles(folder: RunFolder, exported: RunExport): Promise<CertifiedFile[]> {
  const inside = async (name: 'adapter' | 'merged'): Promise<string[]> =>
    (await readdir(folder[name]).catch(() => [])).toSorted((a, b) => (a < b ? -1 : 1)).map((file) => `${name}/${file}`);
  const names = [
    ...(await inside('adapter')),
    ...(await inside('merged')),
    path.basename(folder.template),
    ...exported.ggufs.map(({ file }) => file),
    ...(exported.adapterGguf === null ? [] : [exported.adapterGguf.file]),
    ...(exported.modelfile === null ? [] : [exported.modelfile]),
  ];
  return await Promise.all(names.map(async (name) => await describeFile(folder.root, name)));
}

/** A file of the run as it is now, read from its first byte to its last; of no bytes and another checksum where it is not there. */
export async function describeFile(root: string, name: string): Promise<CertifiedFile> {
  const file = path.join(root, name);
  const bytes = await stat(file).then(
    (entry) => entry.size,
    () => 0,
  );
  return { path: name, bytes, sha256: await sha256OfFile(file).catch(() => '0'.repeat(64)) };
}

/** The files as trainer and exporter told of them when they were made, those whose makers said. */
export async function listMadeFiles(folder: RunFolder, exported: RunExport): Promise<CertifiedFile[]> {
  const made = new Map<string, CertifiedFile>();
  for (const event of await readEvents(folder.events)) {
    if (event.type !== 'artifact' || (event.kind !== 'adapter' && event.kind !== 'merged')) continue;
    // A folder that was made anew has other files.
    for (const name of made.keys()) if (name.startsWith(`${event.kind}/`)) made.delete(name);
    for (const file of event.files) made.set(`${event.kind}/${file.path}`, { ...file, path: `${event.kind}/${file.path}` });
  }
  const files = [...exported.ggufs, ...(exported.adapterGguf === null ? [] : [exported.adapterGguf])];
  for (const { file, bytes, sha256 } of files) made.set(file, { path: file, bytes, sha256 });
  return [...made.values()];
}

/** The line about checksums: files as they are against files as they were made. */
export function filesCheck(made: readonly CertifiedFile[], present: readonly CertifiedFile[]): CertificateCheck {
  const problems = changedFiles(made, present);
  return checkOf('files', 'run', {
    problems: problems.length > 0 ? [`${someOf(problems, 5)}. Export it again, or restore it.`] : [],
    found: `${present.length} files are listed by sha256; ${made.length} of them have the checksum that they were made with.`,
    figures: { files: present.length, checked: made.length, changed: problems.length },
    limits: { changed: 0 },
  });
}

/** What is wrong with files, one sentence part each. */
export function changedFiles(wanted: readonly CertifiedFile[], present: readonly CertifiedFile[]): string[] {
  const byPath = new Map(present.map((file) => [file.path, file]));
  return wanted.flatMap(({ path: name, bytes, sha256 }) => {
    const file = byPath.get(name);
    if (file === undefined || (file.bytes === 0 && bytes > 0)) return [`"${name}" is not there`];
    if (file.bytes !== bytes) return [`"${name}" has ${file.bytes} bytes and had ${bytes}`];
    return file.sha256 === sha256
      ? []
      : [`"${name}" has other bytes: its sha256 is ${file.sha256.slice(0, 12)}… and was ${sha256.slice(0, 12)}…`];
  });
}

/**
 * The line about the base: its files now, and its weights as they were merged, against those that the training began with.
 *
 * @param merged as the reference found them, after the merge; what is not recorded says nothing
 */
export function baseFilesCheck(
  recorded: readonly CertifiedFile[] | undefined,
  present: readonly CertifiedFile[],
  merged: readonly CertifiedFile[] = [],
): CertificateCheck {
  if (recorded === undefined)
    return checkOf('base-files', 'run', { notRun: 'What the base was when the training began was not recorded.' });
  const sameNames = recorded.filter(({ path: name }) => merged.some((file) => file.path === name));
  const atMerge = changedFiles(sameNames, merged);
  const now = changedFiles(recorded, present);
  return checkOf('base-files', 'run', {
    problems: [
      ...(atMerge.length > 0 ? [`When the adapter was merged, ${someOf(atMerge)}: it was merged into another base.`] : []),
      ...(now.length > 0 ? [`${someOf(now)}: the base is not the one that the training began with.`] : []),
    ],
    found: `${recorded.length} file${recorded.length === 1 ? '' : 's'} of the base, unchanged.`,
    figures: { files: recorded.length, changed: new Set([...atMerge, ...now]).size },
    limits: { changed: 0 },
  });
}
