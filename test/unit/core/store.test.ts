import { existsSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../src/core/store.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const latestVersion = 1;
const versionOf = (database: DatabaseSync): unknown => database.prepare('PRAGMA user_version').get()?.['user_version'];
const tablesOf = (database: DatabaseSync): unknown[] =>
  database
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`)
    .all()
    .map((row) => row['name']);

describe('openStore', () => {
  it('makes the home and a database with all tables and the newest version', () => {
    const home = path.join(temporaryFolder(), 'deep/home');
    const database = openStore(home);
    expect(existsSync(path.join(home, 'osler.sqlite'))).toBe(true);
    expect(tablesOf(database)).toEqual(['models', 'runs']);
    expect(versionOf(database)).toBe(latestVersion);
    expect(database.prepare('PRAGMA journal_mode').get()?.['journal_mode']).toBe('wal');
    database.close();
  });

  it('opens again with what was written, and by two at once', () => {
    const home = temporaryFolder();
    const first = openStore(home);
    first.prepare(`INSERT INTO models (id, status, created_at) VALUES ('m', 'candidate', 'now')`).run();
    const second = openStore(home);
    expect(second.prepare('SELECT id FROM models').all()).toEqual([{ id: 'm' }]);
    second.prepare(`INSERT INTO models (id, status, created_at) VALUES ('n', 'candidate', 'now')`).run();
    expect(first.prepare('SELECT count(*) AS count FROM models').get()).toEqual({ count: 2 });
    first.close();
    second.close();
    const third = openStore(home);
    expect(versionOf(third)).toBe(latestVersion);
    expect(third.prepare('SELECT count(*) AS count FROM models').get()).toEqual({ count: 2 });
    third.close();
  });

  it('keeps the version that a newer release has written', () => {
    const home = temporaryFolder();
    const newer = openStore(home);
    newer.exec(`PRAGMA user_version = ${latestVersion + 5}`);
    newer.close();
    const older = openStore(home);
    expect(versionOf(older)).toBe(latestVersion + 5);
    older.close();
  });

  it('leaves a database as it was where a migration fails', () => {
    const home = temporaryFolder();
    const foreign = new DatabaseSync(path.join(home, 'osler.sqlite'));
    foreign.exec('CREATE TABLE models (id TEXT)');
    foreign.close();
    expect(() => openStore(home)).toThrow(/already exists/);
    const after = new DatabaseSync(path.join(home, 'osler.sqlite'));
    expect(tablesOf(after)).toEqual(['models']);
    expect(versionOf(after)).toBe(0);
    after.close();
  });

  it('keeps a database in memory away from the disk', () => {
    const database = openStore(':memory:');
    expect(tablesOf(database)).toEqual(['models', 'runs']);
    expect(existsSync(':memory:')).toBe(false);
    database.close();
  });
});
