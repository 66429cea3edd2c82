import { accessSync, constants, mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { migrateStore } from './migrate-store.ts';
import { checkStore, isBusy, storeFailureOf } from './store-failure.ts';

const busyMs = 10_000;
const retryMs = 20;

/** The one SQLite file of a home. */
export function storeFile(home: string): string {
  return path.join(home, 'osler.sqlite');
}

/**
 * Opens the project's SQLite file in WAL mode, checks it, and brings it to this release's version; `:memory:` for tests.
 *
 * @throws OSLER_ERR_STORE_NEWER, OSLER_ERR_STORE_CORRUPT, OSLER_ERR_STORE_MIGRATION, OSLER_ERR_FILE_UNUSABLE
 */
export function openStore(home: string): DatabaseSync {
  if (home === ':memory:') {
    const database = new DatabaseSync(home);
    migrateStore(database, null);
    return database;
  }
  const file = storeFile(home);
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(home, { recursive: true });
    database = new DatabaseSync(file, { timeout: busyMs });
    // SQLite would open what may only be read, and fail at the first change.
    for (const place of [home, file]) accessSync(place, constants.W_OK);
    enterWalMode(database);
    // secure_delete: what was deleted is overwritten, not only forgotten.
    database.exec('PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;');
    checkStore(database, file);
    migrateStore(database, file);
    return database;
  } catch (error) {
    database?.close();
    throw storeFailureOf(error, file);
  }
}

/** SQLite's own waiting leaves out the switch to WAL: of two processes that open a new file at once, one was refused. */
function enterWalMode(database: DatabaseSync): void {
  const endMs = performance.now() + busyMs;
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > endMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryMs);
    }
  }
}
