import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sha256OfFile } from '../digest.ts';
import { messageOf, OSLER_ERR_BACKUP_INVALID } from '../errors.ts';
import { storeFile } from '../store.ts';
import { checkStore } from '../store-failure.ts';
import { BackupManifest, isWhole, manifestName } from './backup-manifest.ts';

const shownProblems = 10;

/** Reads all of a backup and compares it with its manifest. Throws OSLER_ERR_BACKUP_INVALID with every problem. */
export async function verifyBackup(
  folder: string,
  options: { onBytes?: (done: number, total: number) => void; signal?: AbortSignal } = {},
): Promise<BackupManifest> {
  const manifest = await readManifest(folder);
  const totalBytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const problems: string[] = [];
  let doneBytes = 0;
  for (const file of manifest.files) {
    options.signal?.throwIfAborted();
    const problem = await problemOf(folder, file);
    if (problem !== null) problems.push(`"${file.path}" ${problem}`);
    doneBytes += file.bytes;
    options.onBytes?.(doneBytes, totalBytes);
  }
  problems.push(...(await strangersIn(folder, manifest)));
  if (problems.length === 0) problems.push(...storeProblems(folder));
  if (problems.length > 0) throw new OSLER_ERR_BACKUP_INVALID(folder, listed(problems));
  return manifest;
}

async function readManifest(folder: string): Promise<BackupManifest> {
  const text = await readFile(path.join(folder, manifestName), 'utf8').catch(() => undefined);
  if (text === undefined) throw new OSLER_ERR_BACKUP_INVALID(folder, `it has no ${manifestName}, so it is none or was broken off`);
  const parsed = BackupManifest.safeParse(safeJson(text));
  if (!parsed.success) throw new OSLER_ERR_BACKUP_INVALID(folder, `${manifestName} cannot be read; a newer release may have written it`);
  if (!isWhole(parsed.data)) throw new OSLER_ERR_BACKUP_INVALID(folder, `${manifestName} was changed`);
  if (!parsed.data.files.some((file) => file.path === path.basename(storeFile(folder))))
    throw new OSLER_ERR_BACKUP_INVALID(folder, 'it holds no store');
  return parsed.data;
}

async function problemOf(folder: string, file: BackupManifest['files'][number]): Promise<string | null> {
  const target = path.join(folder, file.path);
  const found = await stat(target).catch(() => undefined);
  if (found === undefined) return 'is missing';
  if (!found.isFile() || found.size !== file.bytes) return `has ${found.size} bytes and had ${file.bytes}`;
  return (await sha256OfFile(target)) === file.sha256 ? null : 'was changed';
}

async function strangersIn(folder: string, manifest: BackupManifest): Promise<string[]> {
  const known = new Set([manifestName, ...manifest.files.map((file) => file.path)]);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .filter((name) => !known.has(name))
    .map((name) => `"${name}" does not belong to it`);
}

function storeProblems(folder: string): string[] {
  const file = storeFile(folder);
  try {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      checkStore(database, file);
      return [];
    } finally {
      database.close();
    }
  } catch (error) {
    return [messageOf(error)];
  }
}

function listed(problems: readonly string[]): string {
  const rest = problems.length - shownProblems;
  return `${problems.slice(0, shownProblems).join('; ')}${rest > 0 ? `; and ${rest} more` : ''}`;
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
