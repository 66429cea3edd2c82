import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isOslerError, messageOf, OSLER_ERR_STORE_MIGRATION, OSLER_ERR_STORE_NEWER } from './errors.ts';
import { migrations as released } from './migrations.ts';
import { olderCopies, storeFailureOf } from './store-failure.ts';

/** Version of the store that this release writes. */
export const storeVersion = released.length;

/**
 * Brings a database to the newest version, one transaction a step, so that a kill in between leaves a whole version;
 * a new one is made in a single transaction. Before the first step an existing database is copied to
 * `<file>.v<version>.bak`. Processes that do so at once wait for each other, and each step is done by one of them.
 *
 * @param file its path; null: it is in memory, and no copy is made
 * @throws OSLER_ERR_STORE_NEWER, OSLER_ERR_STORE_MIGRATION
 */
export function migrateStore(database: DatabaseSync, file: string | null, migrations: readonly string[] = released): void {
  let copy: string | null = null;
  while (readVersion(database) !== migrations.length) {
    // The version is read again under the lock: another process may have moved it on meanwhile.
    database.exec('BEGIN IMMEDIATE');
    const version = readVersion(database);
    const end = version === 0 ? migrations.length : Math.min(version + 1, migrations.length);
    try {
      if (version > migrations.length) throw newerStore(file, version, migrations.length);
      if (file !== null && version > 0) copy ??= copyStore(file, version);
      for (const step of migrations.slice(version, end)) database.exec(step);
      database.exec(`PRAGMA user_version = ${end}`);
      database.exec('COMMIT');
    } catch (error) {
      // SQLite has rolled back by itself where the disk was full.
      if (database.isTransaction) database.exec('ROLLBACK');
      const known = file === null ? error : storeFailureOf(error, file);
      if (isOslerError(known)) throw known;
      throw new OSLER_ERR_STORE_MIGRATION(file ?? ':memory:', `${version} to ${end}`, messageOf(error));
    }
  }
}

function newerStore(file: string | null, version: number, newest: number): Error {
  const versions = `version ${version}, and this release of Osler knows versions up to ${newest}`;
  return new OSLER_ERR_STORE_NEWER(file ?? ':memory:', versions, file === null ? 'there is none' : olderCopies(file));
}

function readVersion(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
}

/** A whole copy of the database as it is. The caller holds the write lock, so nothing changes meanwhile. */
function copyStore(file: string, version: number): string {
  const target = freeName(file, version);
  const temporary = `${target}.tmp`;
  rmSync(temporary, { force: true });
  // A second connection: the first one is inside a transaction, where VACUUM may not run.
  const reader = new DatabaseSync(file, { timeout: 1000 });
  try {
    reader.prepare('VACUUM INTO ?').run(temporary);
  } finally {
    reader.close();
  }
  const descriptor = openSync(temporary, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
  renameSync(temporary, target);
  return target;
}

/** An earlier copy of the same version may hold what this one does not: it is kept. */
function freeName(file: string, version: number): string {
  for (let number = 1; ; number += 1) {
    const name = `${file}.v${version}${number === 1 ? '' : `-${number}`}.bak`;
    if (!existsSync(name)) return name;
  }
}
