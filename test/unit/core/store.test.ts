import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../../src/core/errors.ts';
import { storeVersion } from '../../../src/core/migrate-store.ts';
import { migrations } from '../../../src/core/migrations.ts';
import { packageRoot } from '../../../src/core/package-root.ts';
import { openStore } from '../../../src/core/store.ts';
import { errorOf } from '../../support/error-of.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const versionOf = (database: DatabaseSync): unknown => database.prepare('PRAGMA user_version').get()?.['user_version'];
const countOf = (database: DatabaseSync): unknown => database.prepare('SELECT count(*) AS count FROM models').get()?.['count'];
const tablesOf = (database: DatabaseSync): unknown[] =>
  database
    .prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`)
    .all()
    .map((row) => row['name']);
const addModel = (database: DatabaseSync, id: string): unknown =>
  database.prepare(`INSERT INTO models (id, status, created_at) VALUES (?, 'candidate', 'now')`).run(id);

/** A home with a store of the first release, holding one model. */
function homeOfFirstRelease(): string {
  const home = temporaryFolder();
  const database = new DatabaseSync(path.join(home, 'osler.sqlite'));
  database.exec(`${migrations[0]}; PRAGMA user_version = 1`);
  addModel(database, 'm');
  database.close();
  return home;
}

describe('openStore', () => {
  it('makes the home and a database with all tables and the newest version', () => {
    const home = path.join(temporaryFolder(), 'deep/home');
    const database = openStore(home);
    expect(existsSync(path.join(home, 'osler.sqlite'))).toBe(true);
    expect(tablesOf(database)).toEqual(expect.arrayContaining(['models', 'runs']));
    expect(versionOf(database)).toBe(storeVersion);
    expect(database.prepare('PRAGMA journal_mode').get()?.['journal_mode']).toBe('wal');
    // A new database has nothing worth a copy.
    expect(readdirSync(home).filter((name) => name.endsWith('.bak'))).toEqual([]);
    database.close();
  });

  it('opens again with what was written, and by two at once', () => {
    const home = temporaryFolder();
    const first = openStore(home);
    addModel(first, 'm');
    const second = openStore(home);
    expect(countOf(second)).toBe(1);
    addModel(second, 'n');
    expect(countOf(first)).toBe(2);
    first.close();
    second.close();
    const third = openStore(home);
    expect(versionOf(third)).toBe(storeVersion);
    expect(countOf(third)).toBe(2);
    third.close();
  });

  it('keeps a database in memory away from the disk', () => {
    const database = openStore(':memory:');
    expect(versionOf(database)).toBe(storeVersion);
    expect(existsSync(':memory:')).toBe(false);
    database.close();
  });

  it('takes up the first release’s store with what is in it', () => {
    const home = homeOfFirstRelease();
    const database = openStore(home);
    expect(versionOf(database)).toBe(storeVersion);
    expect(countOf(database)).toBe(1);
    database.close();
  });

  it('is opened by many processes at once, new or old', async () => {
    const homes = [temporaryFolder(), homeOfFirstRelease()];
    const script = `
      import { openStore } from '${packageRoot}/src/core/store.ts';
      process.stdin.once('data', () => {
        for (const [index, home] of ${JSON.stringify(homes)}.entries()) {
          const database = openStore(home);
          database.prepare("INSERT INTO models (id, status, created_at) VALUES (?, 'candidate', 'now')").run(process.pid + '-' + index);
          database.close();
        }
        process.exit(0);
      });
      process.stdout.write('ready');`;
    const children = Array.from({ length: 6 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'pipe'] }),
    );
    const stderr = children.map((child) => {
      let text = '';
      child.stderr.on('data', (chunk) => (text += String(chunk)));
      return () => text;
    });
    const codes = children.map(async (child) => await once(child, 'exit'));
    await Promise.all(children.map(async (child) => await once(child.stdout, 'data')));
    for (const child of children) child.stdin.end('go');
    expect(
      (await Promise.all(codes)).map(([code]) => code),
      stderr.map((text) => text()).join(''),
    ).toEqual([0, 0, 0, 0, 0, 0]);
    const counts = homes.map((home) => {
      const database = openStore(home);
      const count = countOf(database);
      database.close();
      return count;
    });
    expect(counts).toEqual([6, 7]);
  });
});

describe('openStore refuses', () => {
  it('a store that a newer release has written, and leaves it as it was', async () => {
    const home = homeOfFirstRelease();
    const file = path.join(home, 'osler.sqlite');
    openStore(home).close();
    const newer = new DatabaseSync(file);
    newer.exec(`PRAGMA user_version = ${storeVersion + 5}`);
    newer.close();
    const error = await errorOf(() => openStore(home));
    expect(error.code).toBe('OSLER_ERR_STORE_NEWER');
    expect(error.message).toContain(
      `"${file}" has version ${storeVersion + 5}, and this release of Osler knows versions up to ${storeVersion}`,
    );
    expect(exitCodeOf(error)).toBe(3);
    const after = new DatabaseSync(file);
    expect(versionOf(after)).toBe(storeVersion + 5);
    expect(countOf(after)).toBe(1);
    after.close();
  });

  it('a file that is no database', async () => {
    const home = temporaryFolder();
    writeFileSync(path.join(home, 'osler.sqlite'), 'this is a text of more than a hundred bytes. '.repeat(4));
    writeFileSync(path.join(home, 'osler.sqlite.v1.bak'), '');
    const error = await errorOf(() => openStore(home));
    expect(error.code).toBe('OSLER_ERR_STORE_CORRUPT');
    expect(error.message).toContain('osler.sqlite.v1.bak');
    expect(error.message).toContain('osler backup restore');
    expect(exitCodeOf(error)).toBe(3);
  });

  it('a database with a damaged page, or with its end cut off', async () => {
    for (const damage of [
      (file: string) => writeFileSync(file, readFileSync(file).fill(0xa5, 4096, 4096 + 600)),
      (file: string) => truncateSync(file, 4096 * 3),
    ]) {
      const home = temporaryFolder();
      const database = openStore(home);
      for (let index = 0; index < 300; index += 1) addModel(database, `model-${index}-${'x'.repeat(100)}`);
      database.close();
      damage(path.join(home, 'osler.sqlite'));
      const error = await errorOf(() => openStore(home));
      expect(error.code).toBe('OSLER_ERR_STORE_CORRUPT');
    }
  });

  it('a home that is a file, naming it', async () => {
    const home = path.join(temporaryFolder(), 'home');
    writeFileSync(home, '');
    const error = await errorOf(() => openStore(home));
    expect(error.code).toBe('OSLER_ERR_FILE_UNUSABLE');
    expect(error.message).toContain(home);
  });

  it('a store whose place is taken by a folder', async () => {
    const home = temporaryFolder();
    mkdirSync(path.join(home, 'osler.sqlite'));
    const error = await errorOf(() => openStore(home));
    expect(error.code).toBe('OSLER_ERR_FILE_UNUSABLE');
    expect(error.message).toContain('osler.sqlite');
  });

  it.skipIf(process.getuid?.() === 0).each(['home', 'store'])(
    'a %s that may not be written, at once and not at the first change',
    async (place) => {
      const home = temporaryFolder();
      openStore(home).close();
      const target = place === 'home' ? home : path.join(home, 'osler.sqlite');
      chmodSync(target, place === 'home' ? 0o500 : 0o400);
      const error = await errorOf(() => openStore(home));
      chmodSync(target, 0o700);
      expect(error.code).toBe('OSLER_ERR_FILE_UNUSABLE');
      expect(error.message).toContain(`"${target}" cannot be used: permission was refused`);
    },
  );
});
