import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { OSLER_ERR_FILE_UNUSABLE, OSLER_ERR_STORE_CORRUPT } from './errors.ts';
import { systemFailureOf } from './system-failure.ts';

/** Primary result codes, https://sqlite.org/rescode.html */
const busyCodes = new Set([5, 6]);
const corruptCodes = new Set([11, 26]);
const reasons: Readonly<Record<number, string>> = {
  3: 'permission was refused',
  5: 'another process has kept it locked for too long',
  6: 'another process has kept it locked for too long',
  8: 'it may not be written',
  10: 'its disk reported an error',
  13: 'the disk is full',
  14: 'it cannot be opened',
};

/** Whether SQLite has thrown it. */
export function isStoreFailure(error: unknown): boolean {
  return resultCodeOf(error) !== undefined;
}

/** Whether somebody else holds the database. */
export function isBusy(error: unknown): boolean {
  return busyCodes.has(resultCodeOf(error) ?? 0);
}

/** The catalogue's error for what SQLite or the system says of the store's file; anything else as it is. */
export function storeFailureOf(error: unknown, file: string): unknown {
  const code = resultCodeOf(error);
  if (code === undefined) return systemFailureOf(error);
  if (corruptCodes.has(code)) return corruptStore(file, error instanceof Error ? error.message : '');
  const reason = reasons[code];
  return reason === undefined ? error : new OSLER_ERR_FILE_UNUSABLE(file, reason);
}

/** Looks through the whole file for damage. Throws OSLER_ERR_STORE_CORRUPT. */
export function checkStore(database: DatabaseSync, file: string): void {
  const finding = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
  if (finding !== 'ok') throw corruptStore(file, String(finding));
}

/** In words, the copies that were made before migrations. */
export function olderCopies(file: string): string {
  const isCopy = (name: string): boolean => name.startsWith(`${path.basename(file)}.v`) && name.endsWith('.bak');
  const names = readdirSync(path.dirname(file)).filter(isCopy);
  return names.length > 0 ? `beside it is ${names.toSorted().join(', ')}` : 'there is none beside it';
}

function corruptStore(file: string, finding: string): Error {
  return new OSLER_ERR_STORE_CORRUPT(file, finding.replaceAll(/\s+/g, ' '), olderCopies(file));
}

/** SQLite's primary result code, where the error is SQLite's. */
function resultCodeOf(error: unknown): number | undefined {
  const isSqlite = error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';
  return isSqlite ? Number(error.errcode) & 0xff : undefined;
}
