import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';

const pollMs = 200;
/** SQLITE_BUSY, https://sqlite.org/rescode.html#busy */
const busyCode = 5;

/**
 * Waits until nobody else works in a folder, in this process or another.
 *
 * @param check called while waiting; throws to give up
 * @returns what releases the lock
 */
export async function lockFolder(folder: string, check: () => void): Promise<() => void> {
  for (;;) {
    check();
    const unlock = tryLockFolder(folder);
    if (unlock !== undefined) return unlock;
    await pause(pollMs);
  }
}

/**
 * Takes the lock of a folder, or gives undefined where somebody else works in it.
 *
 * The lock is SQLite's on an empty database: the kernel lets go of it when its holder dies, kill -9 included, so that
 * nothing is ever stale; Node itself has no file lock.
 */
export function tryLockFolder(folder: string): (() => void) | undefined {
  const database = new DatabaseSync(path.join(folder, '.osler-lock'));
  try {
    // No journal file: nothing is ever written.
    database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
    return () => database.close();
  } catch (error) {
    database.close();
    if (!(error instanceof Error && 'errcode' in error && error.errcode === busyCode)) throw error;
    return undefined;
  }
}
