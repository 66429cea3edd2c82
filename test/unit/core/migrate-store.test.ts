import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { migrateStore } from '../../../src/core/migrate-store.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const steps = [
  'CREATE TABLE notes (id INTEGER PRIMARY KEY) STRICT',
  `ALTER TABLE notes ADD COLUMN text TEXT NOT NULL DEFAULT 'old'`,
  'CREATE TABLE tags (id INTEGER PRIMARY KEY) STRICT',
];
const versionOf = (database: DatabaseSync): unknown => database.prepare('PRAGMA user_version').get()?.['user_version'];

function open(file = path.join(temporaryFolder(), 'osler.sqlite')): { file: string; database: DatabaseSync } {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL');
  return { file, database };
}

function copiesOf(file: string): string[] {
  return readdirSync(path.dirname(file)).filter((name) => name.includes('.bak'));
}

describe('migrateStore', () => {
  it('takes every step from where the database is, and keeps its rows', () => {
    const { file, database } = open();
    migrateStore(database, file, steps.slice(0, 1));
    database.exec('INSERT INTO notes (id) VALUES (7)');
    migrateStore(database, file, steps);
    expect(versionOf(database)).toBe(3);
    expect(database.prepare('SELECT * FROM notes').all()).toEqual([{ id: 7, text: 'old' }]);
    migrateStore(database, file, steps);
    expect(versionOf(database)).toBe(3);
    database.close();
  });

  it('makes a new database whole or not at all, without a copy', async () => {
    const { file, database } = open();
    const error = await errorOf(() => migrateStore(database, file, [...steps, 'CREATE TABLE notes (id TEXT)']));
    expect(error.code).toBe('OSLER_ERR_STORE_MIGRATION');
    expect(versionOf(database)).toBe(0);
    expect(database.prepare('SELECT name FROM sqlite_schema').all()).toEqual([]);
    migrateStore(database, file, steps);
    expect(versionOf(database)).toBe(3);
    expect(copiesOf(file)).toEqual([]);
    database.close();
  });

  it('copies an existing database before the first step, once, as it was', () => {
    const { file, database } = open();
    migrateStore(database, file, steps.slice(0, 1));
    expect(copiesOf(file)).toEqual([]);
    database.exec('INSERT INTO notes (id) VALUES (7)');
    migrateStore(database, file, steps);
    expect(copiesOf(file)).toEqual(['osler.sqlite.v1.bak']);
    database.close();
    const copy = new DatabaseSync(`${file}.v1.bak`, { readOnly: true });
    expect(versionOf(copy)).toBe(1);
    expect(copy.prepare('SELECT * FROM notes').all()).toEqual([{ id: 7 }]);
    copy.close();
  });

  it('keeps an earlier copy of the same version', () => {
    const { file, database } = open();
    migrateStore(database, file, steps.slice(0, 1));
    writeFileSync(`${file}.v1.bak`, 'earlier');
    migrateStore(database, file, steps);
    expect(copiesOf(file).toSorted()).toEqual(['osler.sqlite.v1-2.bak', 'osler.sqlite.v1.bak']);
    database.close();
  });

  it('stops before a step that fails, with all of the steps before it and nothing of itself', async () => {
    const { file, database } = open();
    migrateStore(database, file, steps.slice(0, 1));
    const failing = [...steps.slice(0, 2), 'CREATE TABLE half (id TEXT) STRICT; CREATE TABLE notes (id TEXT) STRICT'];
    const error = await errorOf(() => migrateStore(database, file, failing));
    expect(error.code).toBe('OSLER_ERR_STORE_MIGRATION');
    expect(error.message).toContain('from version 2 to 3');
    expect(error.message).toContain('already exists');
    expect(versionOf(database)).toBe(2);
    expect(database.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table'`).all()).toEqual([{ name: 'notes' }]);
    migrateStore(database, file, steps);
    expect(versionOf(database)).toBe(3);
    database.close();
  });

  it('says that the disk is full where it is, and loses nothing', async () => {
    const { file, database } = open();
    migrateStore(database, file, steps.slice(0, 1));
    database.exec('INSERT INTO notes (id) VALUES (7)');
    const pages = Number(database.prepare('PRAGMA page_count').get()?.['page_count']);
    // The same error as that of a full disk, SQLITE_FULL.
    database.exec(`PRAGMA max_page_count = ${pages}`);
    const large = `CREATE TABLE filler (text TEXT) STRICT; INSERT INTO filler VALUES (hex(zeroblob(100000)))`;
    const error = await errorOf(() => migrateStore(database, file, [...steps.slice(0, 1), large]));
    expect(error.code).toBe('OSLER_ERR_FILE_UNUSABLE');
    expect(error.message).toContain('the disk is full');
    expect(database.isTransaction).toBe(false);
    expect(versionOf(database)).toBe(1);
    expect(database.prepare('SELECT id FROM notes').all()).toEqual([{ id: 7 }]);
    database.close();
  });

  it('names the copies beside a store that is newer', async () => {
    const { file, database } = open();
    migrateStore(database, file, steps.slice(0, 1));
    migrateStore(database, file, steps);
    const error = await errorOf(() => migrateStore(database, file, steps.slice(0, 1)));
    expect(error.code).toBe('OSLER_ERR_STORE_NEWER');
    expect(error.message).toContain('osler.sqlite.v1.bak');
    expect(versionOf(database)).toBe(3);
    database.close();
  });

  it('makes no copy of a database in memory', () => {
    const database = new DatabaseSync(':memory:');
    migrateStore(database, null, steps.slice(0, 1));
    migrateStore(database, null, steps);
    expect(versionOf(database)).toBe(3);
    expect(existsSync(':memory:')).toBe(false);
    database.close();
  });
});
